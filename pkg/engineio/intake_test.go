package engineio

import (
	"bytes"
	"io"
	"strings"
	"testing"

	"github.com/gorilla/websocket"
)

func TestReceive(t *testing.T) {
	const limit = 10 * lightMessage
	for _, tt := range []struct {
		size    int
		bound   int64
		begun   bool
		read    int // as far as it matters: over the limit is over the limit
		refused bool
	}{
		{size: 0},
		{size: lightMessage - 1, read: lightMessage - 1},
		{size: lightMessage, read: lightMessage, bound: 2 * limit, begun: true},
		{size: limit, read: limit, bound: 2 * limit, begun: true},
		{size: 2 * limit, read: limit + 1, bound: 2 * limit, begun: true},
		{size: limit, bound: limit / 2, begun: true, refused: true},
	} {
		for range 2 { // with buffers that have been used
			in, begun := intake{bound: tt.bound}, false
			sent := strings.Repeat("0123456789", tt.size/10+1)[:tt.size]
			m, err := in.receive(strings.NewReader(sent), limit, func() { begun = true })
			if begun != tt.begun || (err == errBusy) != tt.refused || in.held.Load() != m.reserved || begun && !tt.refused && m.reserved < int64(cap(m.data)) {
				t.Errorf("%d bytes, bound %d: begun %v, %v, %d reserved, %d held, room for %d", tt.size, tt.bound, begun, err, m.reserved, in.held.Load(), cap(m.data))
			}
			if !tt.refused && (string(m.data) != sent[:tt.read] || err != nil) {
				t.Errorf("%d bytes: read %d, %v", tt.size, len(m.data), err)
			}
			if m.release(); in.held.Load() != 0 {
				t.Errorf("%d bytes: %d held after the release", tt.size, in.held.Load())
			}
		}
	}
	m := received{} // of a body that was not read at all
	m.release()
}

// TestAWaitHoldsNoTurn: whoever stops amid a large message, and a receiver that waits after Parsed, hold up
// nobody's.
func TestAWaitHoldsNoTurn(t *testing.T) {
	parsed := make(chan struct{})
	s := serve(t, Options{PerMessageDeflate: &PerMessageDeflate{}})
	s.engine.heavy = make(turns, 1) // before any session
	s.before = func(m Message) {
		if bytes.HasPrefix(m.Data, []byte("wait")) {
			m.Parsed()
			m.Parsed()
			<-parsed
		}
	}
	large := strings.Repeat("x", 3*lightMessage)

	stopped := s.connect(t)
	w, err := stopped.NextWriter(websocket.TextMessage)
	if err == nil {
		_, err = io.WriteString(w, "4"+large) // but no end
	}
	if err != nil {
		t.Fatal(err)
	}
	waiting := s.connect(t)
	if err := waiting.WriteMessage(websocket.TextMessage, []byte("4wait"+large)); err != nil {
		t.Fatal(err)
	}
	query := s.open(t)
	polled := make(chan reply, 1)
	go func() {
		_, got := s.do(t, "POST", query, "4wait"+large+"\x1e4"+large)
		polled <- got
	}()

	other := s.connect(t)
	for range 3 {
		if err := other.WriteMessage(websocket.TextMessage, []byte("4"+large)); err != nil {
			t.Fatal(err)
		}
		if _, data, err := other.ReadMessage(); err != nil || len(data) != 1+len(large) {
			t.Fatalf("%d bytes came back, %v", len(data), err)
		}
	}
	close(parsed)
	if got := <-polled; got != (reply{200, "ok"}) {
		t.Errorf("the POST was answered %v", got)
	}
	_ = stopped.Close()
	_ = waiting.Close()
	_ = other.Close()
	waitFor(t, func() bool { return s.engine.intake.held.Load() == 0 && len(s.engine.heavy) == 0 })
}

// TestTooMuchAtOnce: what all sessions receive at the same time is bounded, and small messages need nothing
// of it.
func TestTooMuchAtOnce(t *testing.T) {
	s := serve(t, Options{MaxReceiving: 5 * lightMessage})
	survive(t, s, func() { // with small messages
		holder := s.connect(t)
		w, err := holder.NextWriter(websocket.TextMessage)
		if err == nil {
			_, err = io.WriteString(w, "4"+strings.Repeat("x", 3*lightMessage)) // but no end
		}
		if err != nil {
			t.Fatal(err)
		}
		waitFor(t, func() bool { return s.engine.intake.held.Load() > 3*lightMessage })

		large := "4" + strings.Repeat("x", 5*lightMessage)
		one := s.connect(t)
		_ = one.WriteMessage(websocket.TextMessage, []byte(large)) // the server may have closed
		expectClose(t, one, websocket.CloseTryAgainLater)
		_ = one.Close()
		query := s.open(t)
		s.expect(t, "POST", query, large, reply{503, ""})
		s.expect(t, "GET", query, "", reply{400, unknownSession})

		_ = holder.Close()
		waitFor(t, func() bool { return s.engine.intake.held.Load() == 0 })
		another := s.open(t)
		s.expect(t, "POST", another, large[:3*lightMessage], reply{200, "ok"})
		s.expect(t, "POST", another, "1", reply{200, "ok"})
	})
}
