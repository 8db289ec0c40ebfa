package engineio

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/websocket"
)

// TestTLS: a connection that is no bare socket is written by its drain goroutine only, and read without
// the wait for readability. Nothing else may differ.
func TestTLS(t *testing.T) {
	s := &site{ended: make(chan Reason, 16)}
	opened := make(chan *Session, 1)
	s.engine = NewServer(Options{PingInterval: time.Minute, PerMessageDeflate: &PerMessageDeflate{}, MaxQueueBytes: 1 << 20}, func(session *Session) Receiver {
		opened <- session
		return echo{session, s.ended}
	})
	s.Server = httptest.NewTLSServer(s.engine)
	t.Cleanup(func() {
		if err := s.engine.Close(context.Background()); err != nil {
			t.Error(err)
		}
		s.Server.Close()
	})
	dialer := websocket.Dialer{TLSClientConfig: s.Client().Transport.(*http.Transport).TLSClientConfig, EnableCompression: true}
	dial := func() (*websocket.Conn, *Session) {
		conn, _, err := dialer.DialContext(t.Context(), "wss"+strings.TrimPrefix(s.URL, "https")+"/engine.io/?"+fresh, nil)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = conn.Close() })
		_ = conn.SetReadDeadline(time.Now().Add(20 * time.Second))
		next(t, conn)
		return conn, <-opened
	}

	conn, session := dial()
	if session.ws.Load().raw != nil || !session.Request().Secure {
		t.Error("this is not the path it should be")
	}
	for _, text := range []string{"4a", "4" + strings.Repeat("b", 500_000), "4c"} {
		write(t, conn, text)
		if got := next(t, conn); got != text {
			t.Errorf("got %d bytes, want %d", len(got), len(text))
		}
	}
	session.Send(NewFrame(Message{Data: []byte("last words")}))
	session.Close()
	if got := next(t, conn); got != "4last words" {
		t.Errorf("got %q", got)
	}
	expectClose(t, conn, websocket.CloseNoStatusReceived)
	_ = conn.Close()
	s.expectReason(t, ReasonForcedClose)

	deaf, session := dial()
	flood(t, session, s.ended)
	_ = deaf.Close()
}
