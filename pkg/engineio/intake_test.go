package engineio

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gorilla/websocket"
)

// counted is a sender that counts what it is told.
type counted struct{ begun, interrupted int }

func (c *counted) large()     { c.begun++ }
func (c *counted) interrupt() { c.interrupted++ }

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
			in, from := intake{bound: tt.bound}, new(counted)
			sent := strings.Repeat("0123456789", tt.size/10+1)[:tt.size]
			m, err := in.receive(strings.NewReader(sent), limit, from)
			var share arrival
			if m.share != nil {
				share = *m.share
			}
			if (from.begun > 0) != tt.begun || (err == errBusy) != tt.refused || in.held != share.held || tt.begun && !tt.refused && share.held < int64(cap(m.data)) {
				t.Errorf("%d bytes, bound %d: begun %d times, %v, %d reserved, %d held, room for %d", tt.size, tt.bound, from.begun, err, share.held, in.held, cap(m.data))
			}
			if !tt.refused && (string(m.data) != sent[:tt.read] || err != nil) {
				t.Errorf("%d bytes: read %d, %v", tt.size, len(m.data), err)
			}
			if m.release(); in.held != 0 || in.arriving.Len() != 0 {
				t.Errorf("%d bytes: %d held and %d arriving after the release", tt.size, in.held, in.arriving.Len())
			}
		}
	}
	m := received{} // of a body that was not read at all
	m.release()
}

// TestRoom: at the bound, whoever has been sending for more than a second makes room, the slowest first.
func TestRoom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		in := intake{bound: 5}
		var from [5]counted
		var a [5]arrival
		for i := range a {
			a[i].from = &from[i]
		}
		reserve := func(i int, n int64, want bool) {
			t.Helper()
			if got := in.reserve(&a[i], n, true); got != want {
				t.Errorf("message %d gets %d bytes: %v", i, n, got)
			}
		}
		reserve(0, 2, true)
		<-time.After(patience / 2)
		reserve(1, 2, true)
		reserve(2, 2, false) // nobody has taken long
		reserve(2, 1, true)
		<-time.After(patience / 2)
		reserve(0, 1, false) // it is the slowest itself
		if in.reserve(&a[3], 1, false) {
			t.Error("room was taken away though nobody was to be ousted")
		}
		reserve(3, 2, true) // 0's
		reserve(4, 1, false)
		reserve(0, 0, false)
		if !in.arrived(&a[1]) || in.arrived(&a[0]) {
			t.Error("the second has its room, and the first has lost it")
		}
		<-time.After(patience)
		reserve(4, 3, true) // 2's and 3's: 1 has arrived
		for i := range a {
			if lost := i == 0 || i == 2 || i == 3; a[i].lost != lost || (from[i].interrupted == 1) != lost {
				t.Errorf("message %d: lost %v, interrupted %d times", i, a[i].lost, from[i].interrupted)
			}
			in.arrived(&a[i])
			in.release(&a[i])
		}
		if in.held != 0 || in.arriving.Len() != 0 {
			t.Errorf("%d bytes are held, %d arriving", in.held, in.arriving.Len())
		}
	})
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
	waitFor(t, func() bool { return s.holds() == 0 && len(s.engine.heavy) == 0 })
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
		waitFor(t, func() bool { return s.holds() > 3*lightMessage })

		large := "4" + strings.Repeat("x", 5*lightMessage)
		one := s.connect(t)
		_ = one.WriteMessage(websocket.TextMessage, []byte(large)) // the server may have closed
		expectClose(t, one, websocket.CloseTryAgainLater)
		_ = one.Close()
		query := s.open(t)
		s.expect(t, "POST", query, large, reply{503, ""})
		s.expect(t, "GET", query, "", reply{400, unknownSession})

		// Whoever stops for longer than a second makes room.
		another := s.open(t)
		waitFor(t, func() bool {
			_, got := s.do(t, "POST", another, large[:2*lightMessage])
			if got.status != 200 {
				another = s.open(t)
			}
			return got == reply{200, "ok"}
		})
		s.expect(t, "POST", another, "1", reply{200, "ok"})
		expectClose(t, holder, websocket.CloseTryAgainLater)
		_ = holder.Close()
		waitFor(t, func() bool { return s.holds() == 0 })
	})
}

// TestRoomOfABody: so does a POST that stops amid its body.
func TestRoomOfABody(t *testing.T) {
	s := serve(t, Options{MaxReceiving: 5 * lightMessage})
	query := s.open(t)
	stopped, err := net.Dial("tcp", s.Listener.Addr().String())
	if err == nil {
		defer stopped.Close()
		_, err = fmt.Fprintf(stopped, "POST /engine.io/?%s HTTP/1.1\r\nHost: pona\r\nContent-Length: %d\r\n\r\n4%s", query, 4*lightMessage, strings.Repeat("x", 3*lightMessage))
	}
	if err != nil {
		t.Fatal(err)
	}
	waitFor(t, func() bool { return s.holds() > 3*lightMessage })
	large := s.connect(t)
	waitFor(t, func() bool {
		_ = large.WriteMessage(websocket.TextMessage, []byte("4"+strings.Repeat("x", 2*lightMessage)))
		_, _, err := large.ReadMessage()
		if err != nil {
			_ = large.Close()
			large = s.connect(t)
		}
		return err == nil
	})
	if got, err := http.ReadResponse(bufio.NewReader(stopped), nil); err != nil || got.StatusCode != http.StatusServiceUnavailable {
		t.Errorf("the POST was answered %v, %v", got, err)
	}
	s.expect(t, "GET", query, "", reply{400, unknownSession})
	_ = large.Close()
	waitFor(t, func() bool { return s.holds() == 0 })
}

// holds is what large messages hold now.
func (s *site) holds() int64 {
	s.engine.intake.mu.Lock()
	defer s.engine.intake.mu.Unlock()
	return s.engine.intake.held
}
