package socketio

import (
	"context"
	"io"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

// patience is how long a test waits for what must come.
const patience = 20 * time.Second

// listen serves s until the test ends; setup comes before the first client.
func listen(t *testing.T, opts Options, setup func(*Server)) (s *Server, address string) {
	t.Helper()
	s = NewServer(opts)
	setup(s)
	web := httptest.NewServer(s)
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		if err := s.Close(ctx); err != nil {
			t.Errorf("Close: %v", err)
		}
		web.Close()
	})
	return s, "ws" + strings.TrimPrefix(web.URL, "http") + "/socket.io/?EIO=4&transport=websocket&q=1"
}

// client speaks the protocol by hand, in Socket.IO packets.
type client struct {
	t *testing.T
	transport
}

// transport carries Engine.IO messages, one at a time each way.
type transport interface {
	write(binary bool, data []byte) error
	read() (data []byte, err error) // EOF: the server has closed in an orderly way
	lose()                          // ends without a word
	Close() error
}

// dial opens a WebSocket connection that has joined nothing.
func dial(t *testing.T, address string) *client {
	t.Helper()
	return newClient(t, dialWebSocket(t, address))
}

func newClient(t *testing.T, over transport) *client {
	t.Cleanup(func() { _ = over.Close() })
	return &client{t, over}
}

// enter dials and joins a namespace; prefix is "" or "/name,".
func enter(t *testing.T, address, prefix string) *client {
	t.Helper()
	c := dial(t, address)
	c.connect(prefix)
	return c
}

// connect joins one more namespace and returns the socket's id.
func (c *client) connect(prefix string) (id string) {
	c.t.Helper()
	c.send("0" + prefix)
	text := c.receive()
	id, ok := strings.CutPrefix(text, "0"+prefix+`{"sid":"`)
	if !ok {
		c.t.Fatalf("answer to CONNECT %s", text)
	}
	return strings.TrimSuffix(id, `"}`)
}

func (c *client) send(text string) {
	c.t.Helper()
	if err := c.write(false, []byte(text)); err != nil {
		c.t.Fatal(err)
	}
}

func (c *client) sendBinary(b ...byte) {
	c.t.Helper()
	if err := c.write(true, b); err != nil {
		c.t.Fatal(err)
	}
}

// receive returns the next packet's text, or an attachment.
func (c *client) receive() string {
	c.t.Helper()
	b, err := c.read()
	if err != nil {
		c.t.Fatal(err)
	}
	return string(b)
}

func (c *client) expect(want ...string) {
	c.t.Helper()
	for _, w := range want {
		if got := c.receive(); got != w {
			c.t.Fatalf("received %s, want %s", got, w)
		}
	}
}

// expectClosed waits until the server has closed the connection, in an orderly way.
func (c *client) expectClosed() {
	c.t.Helper()
	for {
		if _, err := c.read(); err == io.EOF {
			return
		} else if err != nil {
			c.t.Fatalf("not closed in an orderly way: %v", err)
		}
	}
}

// await returns what comes out of a channel.
func await[T any](t *testing.T, from <-chan T) (v T) {
	t.Helper()
	select {
	case v = <-from:
	case <-time.After(patience):
		t.Fatal("nothing came")
	}
	return v
}
