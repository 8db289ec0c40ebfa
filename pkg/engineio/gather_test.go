package engineio

import (
	"context"
	"fmt"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/websocket"
)

// deaf is a Receiver that does nothing.
type deaf struct{}

func (deaf) ReceiveMessage(Message)     {}
func (deaf) ReceiveClose(Reason, error) {}

// pairs opens n sessions and their clients, past the handshake.
func pairs(t *testing.T, n int) (*Server, []*Session, []*websocket.Conn) {
	t.Helper()
	opened := make(chan *Session, n)
	engine := NewServer(Options{PingInterval: time.Minute}, func(s *Session) Receiver {
		opened <- s
		return deaf{}
	})
	web := httptest.NewServer(engine)
	t.Cleanup(func() {
		if err := engine.Close(context.Background()); err != nil {
			t.Error(err)
		}
		web.Close()
	})
	s := &site{Server: web}
	var sessions []*Session
	var clients []*websocket.Conn
	for range n {
		clients = append(clients, s.connect(t))
		sessions = append(sessions, <-opened)
	}
	return engine, sessions, clients
}

func text(s string) *Frame { return NewFrame(Message{Data: []byte(s)}) }

func expectTexts(t *testing.T, conn *websocket.Conn, want ...string) {
	t.Helper()
	for _, w := range want {
		if got := next(t, conn); got != "4"+w {
			t.Fatalf("got %q, want %q", got, "4"+w)
		}
	}
}

func TestPostedFramesAreOneUnitForAllSessions(t *testing.T) {
	engine, sessions, clients := pairs(t, 2)
	for i, name := range []string{"a", "b", "c"} {
		f := text(name)
		for _, s := range sessions {
			if owed := s.Post(f); owed != (i == 0) {
				t.Errorf("frame %d: owed is %t", i, owed)
			}
		}
	}
	first, second := sessions[0].ws.Load().pending, sessions[1].ws.Load().pending
	if first != second || first.count() != 3 {
		t.Errorf("pending are %p with %d frames and %p with %d, want one frame of three", first, first.count(), second, second.count())
	}
	engine.Flush(sessions)
	for _, c := range clients {
		expectTexts(t, c, "a", "b", "c")
	}
	if !sessions[0].Post(text("d")) {
		t.Error("no Flush is owed after the last one")
	}
}

func TestPostKeepsItsPlaceAmongDirectSends(t *testing.T) {
	engine, sessions, clients := pairs(t, 1)
	s := sessions[0]
	s.Post(text("1"))
	s.Post(text("2"))
	s.Send(text("3"))
	s.Post(text("4"))
	s.SendVolatile(text("5"))
	if s.Post(text("6")) {
		t.Error("a second Flush is owed")
	}
	expectTexts(t, clients[0], "1", "2", "3", "4", "5")
	engine.Flush(sessions)
	expectTexts(t, clients[0], "6")
}

func TestPostIsBounded(t *testing.T) {
	for _, test := range []struct{ count, size int }{{3 * maxPendingFrames, 1}, {20, maxPendingBytes / 8}} {
		engine, sessions, clients := pairs(t, 1)
		var want []string
		for i := range test.count {
			body := fmt.Sprint(i, strings.Repeat("x", test.size))
			want = append(want, body)
			sessions[0].Post(text(body))
			if p := sessions[0].ws.Load().pending; p.count() > maxPendingFrames || p.size > maxPendingBytes {
				t.Fatalf("%d frames and %d bytes are pending", p.count(), p.size)
			}
		}
		engine.Flush(sessions)
		expectTexts(t, clients[0], want...)
	}
}

func TestCloseSendsWhatWasPosted(t *testing.T) {
	_, sessions, clients := pairs(t, 1)
	sessions[0].Post(text("last"))
	sessions[0].Close()
	expectTexts(t, clients[0], "last")
	expectClose(t, clients[0], websocket.CloseNoStatusReceived)
}

func TestPostAfterTheEnd(t *testing.T) {
	engine, sessions, _ := pairs(t, 1)
	if err := engine.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	if sessions[0].Post(text("x")) {
		t.Error("a Flush is owed to a session that has ended")
	}
	engine.Flush(sessions)
}

// More sessions than one flusher takes, more events than one can gather.
func TestFlushersServeAll(t *testing.T) {
	engine, sessions, clients := pairs(t, 2*flushChunk+1)
	const events = 50
	for i := range events {
		f := text(fmt.Sprint(i))
		var owed []*Session
		for _, s := range sessions {
			if s.Post(f) {
				owed = append(owed, s)
			}
		}
		engine.Flush(owed)
	}
	for _, c := range clients {
		for i := range events {
			expectTexts(t, c, fmt.Sprint(i))
		}
	}
}
