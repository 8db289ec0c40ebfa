package cluster

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gorilla/websocket"
)

// patience is how long a test waits for what must come.
const patience = 30 * time.Second

// client is a browser of one server, in two namespaces. It answers the event "q" with its name, "bytes"
// with bytes, and nothing else.
type client struct {
	name   string
	id     string // in "/"
	ws     *websocket.Conn
	events chan string   // "namespace event arguments"
	closed chan struct{} // closed when the connection is
	write  sync.Mutex

	asked   int // of ask
	replies chan string
}

// dial connects and joins "/" and "/custom".
func dial(t *testing.T, name, address string) *client {
	t.Helper()
	ws, _, err := websocket.DefaultDialer.Dial("ws://"+address+"/socket.io/?EIO=4&transport=websocket", nil)
	if err != nil {
		t.Fatal(err)
	}
	c := &client{name: name, ws: ws, events: make(chan string, 256), closed: make(chan struct{}), replies: make(chan string, 16)}
	joined := make(chan string, 2)
	go c.read(joined)
	t.Cleanup(func() {
		_ = ws.Close()
		<-c.closed
	})
	for _, packet := range []string{`40{"name":"` + name + `"}`, "40/custom,"} {
		c.send(packet)
		select {
		case sid := <-joined:
			if c.id == "" {
				c.id = sid
			}
		case <-time.After(patience):
			t.Fatalf("%s does not get in", name)
		}
	}
	return c
}

func (c *client) send(text string) {
	c.write.Lock()
	defer c.write.Unlock()
	_ = c.ws.WriteMessage(websocket.TextMessage, []byte(text)) // read sees the end of the connection
}

func (c *client) read(joined chan<- string) {
	defer close(c.closed)
	for {
		_, message, err := c.ws.ReadMessage()
		if err != nil {
			return
		}
		switch text := string(message); {
		case text == "2":
			c.send("3")
		case strings.HasPrefix(text, "40"):
			_, data, _ := strings.Cut(text, "{")
			var answer struct{ SID string }
			if json.Unmarshal([]byte("{"+data), &answer) == nil {
				joined <- answer.SID
			}
		case strings.HasPrefix(text, "43"):
			c.replies <- text[2:]
		case strings.HasPrefix(text, "42"), strings.HasPrefix(text, "45"):
			if err := c.event(text); err != nil {
				return
			}
		}
	}
}

// event takes an event and the attachments that follow it.
func (c *client) event(text string) error {
	rest := text[2:]
	attachments := 0
	if text[1] == '5' {
		count, after, _ := strings.Cut(rest, "-")
		attachments, _ = strconv.Atoi(count)
		rest = after
	}
	namespace := "/"
	if strings.HasPrefix(rest, "/") {
		namespace, rest, _ = strings.Cut(rest, ",")
	}
	id, _, _ := strings.Cut(rest, "[")
	data := rest[len(id):]
	for n := range attachments {
		_, b, err := c.ws.ReadMessage()
		if err != nil {
			return err
		}
		data = strings.Replace(data, fmt.Sprintf(`{"_placeholder":true,"num":%d}`, n), `{"$bytes":"`+base64.StdEncoding.EncodeToString(b)+`"}`, 1)
	}
	if id == "" {
		c.events <- namespace + " " + data
		return nil
	}
	prefix := ""
	if namespace != "/" {
		prefix = namespace + ","
	}
	switch {
	case strings.HasPrefix(data, `["q"`):
		c.send("43" + prefix + id + `["` + c.name + `"]`)
	case strings.HasPrefix(data, `["bytes"`):
		c.send("461-" + prefix + id + `[{"_placeholder":true,"num":0}]`)
		c.write.Lock()
		defer c.write.Unlock()
		return c.ws.WriteMessage(websocket.BinaryMessage, []byte{1, 2, 3})
	}
	return nil
}

// ask emits an event in "/" and waits for its acknowledgement.
func (c *client) ask(t *testing.T, event ...any) (reply []any) {
	t.Helper()
	text, err := json.Marshal(event)
	if err != nil {
		t.Fatal(err)
	}
	c.asked++
	id := strconv.Itoa(c.asked)
	c.send("42" + id + string(text))
	for timeout := time.After(patience); ; {
		select {
		case r := <-c.replies:
			if args, mine := strings.CutPrefix(r, id+"["); !mine { // late
				continue
			} else if err := json.Unmarshal([]byte("["+args), &reply); err != nil {
				t.Fatalf("%s: %v", r, err)
			}
			return reply
		case <-timeout:
			t.Fatalf("%s: no acknowledgement of %s", c.name, text)
		}
	}
}

// until returns the events that came before one.
func (c *client) until(t *testing.T, last string) (before []string) {
	t.Helper()
	timeout := time.After(patience)
	for {
		select {
		case e := <-c.events:
			if e == last {
				return before
			}
			before = append(before, e)
		case <-timeout:
			t.Fatalf("%s: %s did not come, but %v", c.name, last, before)
		}
	}
}
