package engineio

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/gorilla/websocket"
)

// colour answers each message with a header of the POST that carried it.
type colour struct{ session *Session }

func (c colour) ReceiveMessage(Message) {
	said := "no POST"
	if r := c.session.Posting(); r != nil {
		said = r.Header.Get("X-Colour")
	}
	c.session.Send(NewFrame(Message{Data: []byte(said)}))
}

func (colour) ReceiveClose(Reason, error) {}

// A receiver sees the request that carried a message, for as long as it is received.
func TestPosting(t *testing.T) {
	opened := make(chan *Session, 2)
	engine := NewServer(Options{}, func(s *Session) Receiver {
		opened <- s
		return colour{s}
	})
	s := &site{Server: httptest.NewServer(engine)}
	t.Cleanup(func() {
		if err := engine.Close(context.Background()); err != nil {
			t.Error(err)
		}
		s.Server.Close()
	})

	sid := s.open(t)
	session := <-opened
	s.expect(t, http.MethodPost, sid, "4?", reply{200, "ok"}, "X-Colour", "blue")
	s.expect(t, http.MethodPost, sid, "4?\x1e4?", reply{200, "ok"}, "X-Colour", "red")
	s.expect(t, http.MethodGet, sid, "", reply{200, "4blue\x1e4red\x1e4red"})
	if r := session.Posting(); r != nil {
		t.Errorf("between POSTs: %v", r)
	}

	conn, _, err := websocket.DefaultDialer.Dial(strings.Replace(s.URL, "http", "ws", 1)+"/engine.io/?EIO=4&transport=websocket", http.Header{"X-Colour": {"green"}})
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	next(t, conn) // the handshake
	write(t, conn, "4?")
	if got := next(t, conn); got != "4no POST" {
		t.Errorf("on WebSocket %q", got)
	}
}
