package engineio

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/gorilla/websocket"
)

// waiting lists what a queue holds, as polling payloads.
func waiting(q *queue) (got []string) {
	for i := range q.entries {
		got = append(got, string(payload(q.entries[i:i+1])))
	}
	return got
}

func TestConflation(t *testing.T) {
	frame := func(data, key string) *Frame { return NewFrame(Message{Data: []byte(data)}).Conflate(key) }
	opts := &Options{MaxQueueBytes: 100, MaxQueueFrames: 8}
	tests := []struct {
		name   string
		frames []*Frame
		want   []string
	}{
		{"not below half of the bound", []*Frame{frame("1", "p"), frame("2", "p")}, []string{"41", "42"}},
		{"past half of the frames: the newest, at the end",
			[]*Frame{frame("1", "p"), frame("a", ""), frame("2", "p"), frame("b", ""), frame("c", ""), frame("3", "p")},
			[]string{"4a", "4b", "4c", "43"}},
		{"past half of the bytes", []*Frame{frame("1", "p"), frame(strings.Repeat("x", 50), ""), frame("2", "p")},
			[]string{"4" + strings.Repeat("x", 50), "42"}},
		{"another key stays", []*Frame{frame("1", "p"), frame("1", "q"), frame("a", ""), frame("b", ""), frame("c", ""), frame("2", "p")},
			[]string{"41", "4a", "4b", "4c", "42"}},
		{"parts of a run are apart again",
			[]*Frame{frame("a", ""), frame("b", ""), frame("c", ""), JoinFrames(frame("1", "p"), frame("2", "p"), frame("3", "p"))},
			[]string{"4a", "4b", "4c", "43"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var q queue
			for _, f := range tt.frames {
				if !q.push(f, opts) {
					t.Fatal("the queue is full")
				}
			}
			got := waiting(&q)
			if !slices.Equal(got, tt.want) {
				t.Errorf("waiting: %q, want %q", got, tt.want)
			}
			if n := len(strings.Join(got, "")) - len(got); q.bytes != n {
				t.Errorf("counts %d bytes, holds %d", q.bytes, n)
			}
		})
	}
}

func TestTakes(t *testing.T) {
	opts := &Options{MaxQueueBytes: 10, MaxQueueFrames: 3}
	frame := func(n int) *Frame { return NewFrame(Message{Data: []byte(strings.Repeat("x", n))}) }
	for _, tt := range []struct {
		name    string
		waiting []*Frame
		frame   *Frame
		want    bool
	}{
		{"up to the bound", []*Frame{frame(4)}, frame(6), true},
		{"past it", []*Frame{frame(4)}, frame(7), false},
		{"a lone frame travels somehow", nil, frame(11), true},
		{"a run past it", nil, JoinFrames(frame(6), frame(5)), false},
		{"as many frames as may wait", nil, JoinFrames(frame(1), JoinFrames(frame(1), frame(1))), true},
		{"one too many", []*Frame{frame(1)}, JoinFrames(frame(1), JoinFrames(frame(1), frame(1))), false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var q queue
			for _, f := range tt.waiting {
				q.push(f, opts)
			}
			if got := q.takes(tt.frame, opts); got != tt.want {
				t.Errorf("takes: %v", got)
			}
			if got := q.push(tt.frame, opts); got != tt.want {
				t.Errorf("push: %v", got)
			}
		})
	}
}

func TestQueueBounds(t *testing.T) {
	opts := &Options{MaxQueueBytes: 10, MaxQueueFrames: 3}
	tests := []struct {
		name  string
		sizes []int
		fits  bool // the last
	}{
		{"as many frames as allowed", []int{1, 1, 1}, true},
		{"one more", []int{1, 1, 1, 1}, false},
		{"as many bytes as allowed", []int{5, 5}, true},
		{"one more byte", []int{5, 6}, false},
		{"a lone frame over the bound has to travel somehow", []int{100}, true},
		{"but nothing after it", []int{100, 1}, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var q queue
			for i, size := range tt.sizes {
				fits := q.push(NewFrame(Message{Data: make([]byte, size)}), opts)
				if want := i < len(tt.sizes)-1 || tt.fits; fits != want {
					t.Errorf("frame %d of %d bytes: fits %v", i, size, fits)
				}
			}
		})
	}
}

// flood sends to a session until it is cut, and says how many bytes that took.
func flood(t *testing.T, session *Session, ended <-chan Reason) (sent int) {
	t.Helper()
	frame := NewFrame(Message{Data: []byte(strings.Repeat("x", 64<<10))})
	for range 4096 {
		if !session.open() {
			if reason := <-ended; reason != ReasonSlowConsumer {
				t.Errorf("ended with %q", reason)
			}
			return sent
		}
		session.Send(frame)
		sent += frame.Size()
	}
	t.Fatal("a client that does not read is never cut")
	return sent
}

// TestSlowConsumerIsCut on both transports, without delaying another client.
func TestSlowConsumerIsCut(t *testing.T) {
	s := serve(t, Options{MaxQueueBytes: 1 << 20})
	other := s.connect(t)
	<-s.opened
	t.Run("WebSocket", func(t *testing.T) {
		conn := s.connect(t)
		if sent := flood(t, <-s.opened, s.ended); sent < 1<<20 {
			t.Errorf("cut after %d bytes", sent)
		}
		for { // what the kernel took, then the end without ceremony
			if _, _, err := conn.ReadMessage(); err != nil {
				if websocket.IsCloseError(err, websocket.CloseNoStatusReceived) {
					t.Error("closed in order")
				}
				break
			}
		}
	})
	t.Run("polling", func(t *testing.T) {
		query := s.open(t)
		if sent := flood(t, <-s.opened, s.ended); sent < 1<<20 || sent > 2<<20 {
			t.Errorf("cut after %d bytes", sent)
		}
		s.expect(t, "GET", query, "", reply{400, unknownSession})
	})
	write(t, other, "4still quick")
	if got := next(t, other); got != "4still quick" {
		t.Errorf("another client got %q", got)
	}
}

// TestSlowConsumerCatchesUp: a pause that stays below the bound loses nothing and keeps the order.
func TestSlowConsumerCatchesUp(t *testing.T) {
	s := quietSite(t)
	conn := s.connect(t)
	session := <-s.opened
	const n = 2000 // of 4 KB: the kernel takes a part only
	padding := strings.Repeat("x", 4096)
	for i := range n {
		session.Send(NewFrame(Message{Data: fmt.Appendf(nil, "%d %s", i, padding)}))
	}
	for i := range n {
		if got, want := next(t, conn), fmt.Sprintf("4%d %s", i, padding); got != want {
			t.Fatalf("message %d is %.20q", i, got)
		}
	}
}

func TestVolatile(t *testing.T) {
	s := quietSite(t)
	volatile := NewFrame(Message{Data: []byte("volatile")})
	t.Run("dropped while no poll waits", func(t *testing.T) {
		query := s.open(t)
		session := <-s.opened
		session.SendVolatile(volatile)
		session.Send(NewFrame(Message{Data: []byte("kept")}))
		s.expect(t, "GET", query, "", reply{200, "4kept"})
		answered := s.poll(t, query)
		session.SendVolatile(volatile)
		if got := <-answered; got != (reply{200, "4volatile"}) {
			t.Errorf("poll: %v", got)
		}
		wantDropped(t, session, 1)
	})
	t.Run("sent behind others that a WebSocket has taken", func(t *testing.T) {
		conn := s.connect(t)
		session := <-s.opened
		session.Send(NewFrame(Message{Data: []byte("kept")}))
		session.SendVolatile(volatile)
		session.SendVolatile(volatile)
		for _, want := range []string{"4kept", "4volatile", "4volatile"} {
			if got := next(t, conn); got != want {
				t.Errorf("got %q, want %q", got, want)
			}
		}
	})
	t.Run("dropped while a WebSocket is stuck", func(t *testing.T) {
		conn := s.connect(t)
		session := <-s.opened
		big := NewFrame(Message{Data: []byte(strings.Repeat("x", 8<<20))})
		session.Send(big) // more than the kernel takes
		session.SendVolatile(volatile)
		session.Send(NewFrame(Message{Data: []byte("kept")}))
		if got := next(t, conn); len(got) != big.Size()+1 {
			t.Errorf("got %d bytes", len(got))
		}
		if got := next(t, conn); got != "4kept" {
			t.Errorf("got %q", got)
		}
		session.SendVolatile(volatile)
		if got := next(t, conn); got != "4volatile" {
			t.Errorf("got %q", got)
		}
		wantDropped(t, session, 2)
	})
}

func wantDropped(t *testing.T, s *Session, want uint64) {
	t.Helper()
	if got := s.server.Stats().Dropped; got != want {
		t.Errorf("%d messages are counted as dropped, want %d", got, want)
	}
}
