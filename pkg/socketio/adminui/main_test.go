package adminui

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/websocket"
	"go.uber.org/goleak"
	"golang.org/x/crypto/bcrypt"

	"github.com/pona-realtime/pona/pkg/adapter"
	"github.com/pona-realtime/pona/pkg/adapter/memory"
	"github.com/pona-realtime/pona/pkg/socketio"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const patience = 20 * time.Second

// password is "open sesame", cheap to try.
var password = func() string {
	hash, err := bcrypt.GenerateFromPassword([]byte("open sesame"), bcrypt.MinCost)
	if err != nil {
		panic(err)
	}
	return string(hash)
}()

// site is a server with an Admin UI.
type site struct {
	server *socketio.Server
	ui     *AdminUI
	url    string
}

// cluster starts servers that know each other, with the namespaces /, /room/… and the UI's.
func cluster(t *testing.T, n int, o Options) []site {
	t.Helper()
	return clusterOf(t, n, o, 50*time.Millisecond)
}

// clusterOf is cluster with the time between two server_stats.
func clusterOf(t *testing.T, n int, o Options, interval time.Duration) []site {
	t.Helper()
	bus := &memory.Bus{}
	t.Cleanup(bus.Wait)
	sites := make([]site, n)
	for i := range sites {
		node := adapter.NewNode(bus, adapter.Options{})
		t.Cleanup(node.Close)
		sites[i].server = socketio.NewServer(socketio.Options{Cluster: node, HideCredentials: true})
		sites[i].server.OfRegexp(regexp.MustCompile("^/room/"))
		o.Cluster, o.Username, o.ServerID = node, "operator", string(rune('a'+i))
		if o.PasswordHash == "" {
			o.PasswordHash = password
		}
		ui, err := Attach(sites[i].server, o)
		if err != nil {
			t.Fatal(err)
		}
		ui.interval = interval
		sites[i].ui = ui
		web := httptest.NewServer(sites[i].server)
		sites[i].url = "ws" + strings.TrimPrefix(web.URL, "http") + "/socket.io/?EIO=4&transport=websocket"
		ctx, stop := context.WithCancel(context.Background())
		ended := make(chan struct{})
		go func() {
			ui.Run(ctx)
			close(ended)
		}()
		t.Cleanup(func() {
			stop()
			<-ended
			_ = sites[i].server.Close(context.Background())
			web.Close()
		})
	}
	return sites
}

// client is one connection to one namespace, text packets only.
type client struct {
	t         *testing.T
	conn      *websocket.Conn
	namespace string
	id        string
}

// dial connects; the answer to CONNECT is "" or the refusal's message.
func dial(t *testing.T, s site, namespace, auth string) (c *client, refusal string) {
	t.Helper()
	conn, response, err := websocket.DefaultDialer.Dial(s.url, nil)
	if err != nil {
		t.Fatal(err)
	}
	_ = response.Body.Close()
	t.Cleanup(func() { _ = conn.Close() })
	c = &client{t: t, conn: conn, namespace: namespace}
	c.read() // Engine.IO's handshake
	c.write("40" + c.prefix() + auth)
	answer := c.read()
	var payload struct{ SID, Message string }
	if err := json.Unmarshal([]byte(answer[strings.Index(answer, "{"):]), &payload); err != nil {
		t.Fatalf("%v: %s", err, answer)
	}
	c.id = payload.SID
	return c, payload.Message
}

// poller is a client on polling that joins namespaces, and may move to WebSocket.
type poller struct {
	t   *testing.T
	url string // with the session's id
}

// poll opens a connection as stock clients do.
func poll(t *testing.T, s site) *poller {
	t.Helper()
	p := &poller{t, strings.Replace("http"+strings.TrimPrefix(s.url, "ws"), "transport=websocket", "transport=polling", 1)}
	var handshake struct{ SID string }
	if text := p.do(http.MethodGet, ""); text[0] != '0' || json.Unmarshal([]byte(text[1:]), &handshake) != nil {
		t.Fatalf("handshake: %s", text)
	}
	p.url += "&sid=" + handshake.SID
	return p
}

func (p *poller) do(method, body string) string {
	p.t.Helper()
	request, err := http.NewRequestWithContext(p.t.Context(), method, p.url, strings.NewReader(body))
	if err != nil {
		p.t.Fatal(err)
	}
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: patience}
	response, err := client.Do(request)
	if err != nil {
		p.t.Fatal(err)
	}
	defer response.Body.Close() //nolint:errcheck // only read from
	text, err := io.ReadAll(response.Body)
	if err != nil || response.StatusCode != http.StatusOK {
		p.t.Fatalf("%d %s, %v", response.StatusCode, text, err)
	}
	return string(text)
}

// join returns the id of the socket.
func (p *poller) join(namespace string) string {
	p.t.Helper()
	p.do(http.MethodPost, "40"+namespace+",")
	answer := p.do(http.MethodGet, "")
	var payload struct{ SID string }
	if err := json.Unmarshal([]byte(answer[strings.Index(answer, "{"):]), &payload); err != nil {
		p.t.Fatalf("%v: %s", err, answer)
	}
	return payload.SID
}

// upgrade moves to WebSocket.
func (p *poller) upgrade() {
	p.t.Helper()
	target := strings.Replace("ws"+strings.TrimPrefix(p.url, "http"), "transport=polling", "transport=websocket", 1)
	conn, response, err := websocket.DefaultDialer.Dial(target, nil)
	if err != nil {
		p.t.Fatal(err)
	}
	_ = response.Body.Close()
	p.t.Cleanup(func() { _ = conn.Close() })
	for _, packet := range []string{"2probe", "5"} {
		if err := conn.WriteMessage(websocket.TextMessage, []byte(packet)); err != nil {
			p.t.Fatal(err)
		}
	}
}

func (c *client) prefix() string {
	if c.namespace == "/" {
		return ""
	}
	return c.namespace + ","
}

func (c *client) read() string {
	c.t.Helper()
	_ = c.conn.SetReadDeadline(time.Now().Add(patience))
	_, text, err := c.conn.ReadMessage()
	if err != nil {
		c.t.Fatal(err)
	}
	return string(text)
}

func (c *client) write(packet string) {
	c.t.Helper()
	if err := c.conn.WriteMessage(websocket.TextMessage, []byte(packet)); err != nil {
		c.t.Fatal(err)
	}
}

// emit emits an event; args are JSON.
func (c *client) emit(event string, args ...string) {
	c.t.Helper()
	c.write("42" + c.prefix() + `["` + event + `",` + strings.Join(args, ",") + "]")
}

// event waits for an event of that name, for which which is true, and returns its arguments; others are passed over.
func (c *client) event(name string, which func(args []json.RawMessage) bool) []json.RawMessage {
	c.t.Helper()
	for {
		text, is := strings.CutPrefix(c.read(), "42"+c.prefix())
		var list []json.RawMessage
		if !is || json.Unmarshal([]byte(text), &list) != nil || string(list[0]) != `"`+name+`"` {
			continue
		}
		if which == nil || which(list[1:]) {
			return list[1:]
		}
	}
}

// login is the payload of CONNECT that has the password.
const login = `{"username":"operator","password":"open sesame"}`

// page logs in.
func page(t *testing.T, s site) *client {
	t.Helper()
	c, refusal := dial(t, s, "/admin", login)
	if refusal != "" {
		t.Fatal(refusal)
	}
	return c
}

// text reads a JSON string.
func textOf(t *testing.T, raw json.RawMessage) (s string) {
	t.Helper()
	if err := json.Unmarshal(raw, &s); err != nil {
		t.Fatal(err)
	}
	return s
}
