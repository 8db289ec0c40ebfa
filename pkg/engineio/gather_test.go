package engineio

import (
	"context"
	"fmt"
	"net/http/httptest"
	"strings"
	"sync"
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
	var p Poster
	for _, name := range []string{"a", "b", "c"} {
		f := text(name)
		for _, s := range sessions {
			p.Post(s, f)
		}
	}
	if len(p.owed) != 2 {
		t.Errorf("a Flush is owed to %d sessions", len(p.owed))
	}
	first, second := sessions[0].ws.Load().pending, sessions[1].ws.Load().pending
	if first != second || first.count() != 3 {
		t.Errorf("pending are %p with %d frames and %p with %d, want one frame of three", first, first.count(), second, second.count())
	}
	engine.Flush(&p, nil)
	for _, c := range clients {
		expectTexts(t, c, "a", "b", "c")
	}
	if p.Post(sessions[0], text("d")); len(p.owed) != 1 {
		t.Error("no Flush is owed after the last one")
	}
}

func TestPostKeepsItsPlaceAmongDirectSends(t *testing.T) {
	engine, sessions, clients := pairs(t, 1)
	s := sessions[0]
	var p Poster
	p.Post(s, text("1"))
	p.Post(s, text("2"))
	s.Send(text("3"))
	p.Post(s, text("4"))
	s.SendVolatile(text("5"))
	if p.Post(s, text("6")); len(p.owed) != 1 {
		t.Error("a second Flush is owed")
	}
	expectTexts(t, clients[0], "1", "2", "3", "4", "5")
	engine.Flush(&p, nil)
	expectTexts(t, clients[0], "6")
}

func TestPostIsBounded(t *testing.T) {
	for _, test := range []struct{ count, size int }{{3 * maxPendingFrames, 1}, {20, maxPendingBytes / 8}} {
		engine, sessions, clients := pairs(t, 1)
		var want []string
		var poster Poster
		for i := range test.count {
			body := fmt.Sprint(i, strings.Repeat("x", test.size))
			want = append(want, body)
			poster.Post(sessions[0], text(body))
			if p := sessions[0].ws.Load().pending; p.count() > maxPendingFrames || p.size > maxPendingBytes {
				t.Fatalf("%d frames and %d bytes are pending", p.count(), p.size)
			}
		}
		engine.Flush(&poster, nil)
		expectTexts(t, clients[0], want...)
	}
}

func TestCloseSendsWhatWasPosted(t *testing.T) {
	_, sessions, clients := pairs(t, 1)
	new(Poster).Post(sessions[0], text("last"))
	sessions[0].Close()
	expectTexts(t, clients[0], "last")
	expectClose(t, clients[0], websocket.CloseNoStatusReceived)
}

func TestPostAfterTheEnd(t *testing.T) {
	engine, sessions, _ := pairs(t, 1)
	if err := engine.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	var p Poster
	if p.Post(sessions[0], text("x")); len(p.owed) != 0 {
		t.Error("a Flush is owed to a session that has ended")
	}
	p.owed = sessions // as if it had ended just now
	kept := false
	if engine.Flush(&p, func(int, int) { kept = true }); !kept {
		t.Error("who waits for the last write waits for ever")
	}
}

// More sessions than one flusher takes, more events than one can gather.
func TestFlushersServeAll(t *testing.T) {
	engine, sessions, clients := pairs(t, 2*flushChunk+1)
	const events = 50
	var p Poster
	var written sync.WaitGroup
	for i := range events {
		f := text(fmt.Sprint(i))
		for _, s := range sessions {
			p.Post(s, f)
		}
		written.Add(1)
		engine.Flush(&p, func(frames, bytes int) {
			defer written.Done()
			if frames != len(sessions) || bytes != len(sessions)*f.Size() {
				t.Errorf("%d frames of %d bytes", frames, bytes)
			}
		})
	}
	written.Wait()
	if waits := engine.Stats(); waits.QueuedFrames != 0 {
		t.Errorf("%d frames wait after the last one has been written", waits.QueuedFrames)
	}
	for _, c := range clients {
		for i := range events {
			expectTexts(t, c, fmt.Sprint(i))
		}
	}
}

// hold keeps everybody from writing to a session until release.
func hold(s *Session) (release func()) {
	ws := s.ws.Load()
	ws.mu.Lock()
	return ws.mu.Unlock
}

// TestWrittenComesAfterTheLastWrite holds up the writing to one session after the other, in the midst of others,
// with one flusher and with two: nobody hears that all has been written before it has.
func TestWrittenComesAfterTheLastWrite(t *testing.T) {
	engine, sessions, clients := pairs(t, 4*flushChunk)
	for _, second := range []bool{false, true} {
		for _, held := range []int{0, flushChunk + 1, len(sessions) - 1} {
			var p Poster
			first, more := text("first"), text("more")
			for _, s := range sessions {
				p.Post(s, first)
			}
			release := hold(sessions[held])
			told := make(chan [2]int, 2)
			tell := func(frames, bytes int) { told <- [2]int{frames, bytes} }
			engine.Flush(&p, tell)
			if second { // passes by the first one
				engine.outbox.mu.Lock()
				engine.outbox.flushers++
				engine.outbox.mu.Unlock()
				engine.wg.Go(engine.outbox.flush)
			}
			for i, c := range clients {
				if i/flushChunk != held/flushChunk && (second || i < held) || i/flushChunk == held/flushChunk && i < held {
					expectTexts(t, c, "first")
				}
			}
			if second {
				waitFor(t, func() bool {
					engine.outbox.mu.Lock()
					defer engine.outbox.mu.Unlock()
					return engine.outbox.waiting.len() == 0 && len(engine.outbox.begun) == 1
				})
			}
			p.Post(sessions[(held+1)%len(sessions)], more) // needs nobody, or is behind
			engine.Flush(&p, tell)
			select {
			case got := <-told:
				release()
				t.Fatalf("told of %v before a session has been written to", got)
			default:
			}
			release()
			if got := <-told; got != [2]int{len(sessions), len(sessions) * len("first")} {
				t.Errorf("told of %v", got)
			}
			if got := <-told; got != [2]int{1, len("more")} {
				t.Errorf("told of %v", got)
			}
			for i, c := range clients {
				if i/flushChunk != held/flushChunk && (second || i < held) || i/flushChunk == held/flushChunk && i < held {
					continue
				}
				expectTexts(t, c, "first")
			}
			expectTexts(t, clients[(held+1)%len(sessions)], "more")
		}
	}
}

// TestAnothersFlushIsNotWaitedFor has two Posters post to the same session: a Flush of one promises nothing by the
// Flush that the other has not called yet.
func TestAnothersFlushIsNotWaitedFor(t *testing.T) {
	engine, sessions, clients := pairs(t, 1)
	var a, b Poster
	a.Post(sessions[0], text("a"))
	b.Post(sessions[0], text("b"))
	release := hold(sessions[0])
	told := make(chan struct{})
	engine.Flush(&b, func(int, int) { close(told) })
	select {
	case <-told:
		t.Error("nothing has been written")
	default:
	}
	release()
	<-told
	if sessions[0].ws.Load().pending != nil {
		t.Error("b has not been written")
	}
	expectTexts(t, clients[0], "a", "b")
	engine.Flush(&a, nil)
	a.Post(sessions[0], text("c"))
	engine.Flush(&a, nil)
	expectTexts(t, clients[0], "c")
}

// TestWrittenWhereNobodyIsWaitedFor is for those whom no flusher writes to.
func TestWrittenWhereNobodyIsWaitedFor(t *testing.T) {
	engine, _, _ := pairs(t, 0)
	var p Poster
	kept := 0
	engine.Flush(&p, func(frames, bytes int) { kept += 1 + frames + bytes })
	if kept != 1 {
		t.Errorf("%d", kept)
	}
}

func TestALineKeepsOrderAndMemory(t *testing.T) {
	var l line[int]
	next, taken := 0, 0
	for round := range 1000 {
		for range round % 5 {
			l.add(next)
			next++
		}
		var some [2]int
		for _, got := range some[:l.take(some[:])] {
			if got != taken {
				t.Fatalf("%d instead of %d", got, taken)
			}
			taken++
		}
		if first := l.first(); (first == nil) != (l.len() == 0) || first != nil && *first != taken || l.len() != next-taken {
			t.Fatalf("%d wait", l.len())
		}
	}
	for l.len() > 0 {
		l.take(make([]int, 7))
	}
	before := cap(l.items)
	for range 1000 {
		l.add(1, 2, 3)
		l.take(make([]int, 3))
	}
	if cap(l.items) != before {
		t.Errorf("room for %d, before for %d", cap(l.items), before)
	}
}

func TestStatsOfWhatWaitsForAFlusher(t *testing.T) {
	engine, sessions, _ := pairs(t, 2)
	var p Poster
	p.Post(sessions[0], JoinFrames(text("one"), text("two")))
	p.Post(sessions[0], text("three"))
	if got := engine.Stats(); got.QueuedFrames != 3 || got.QueuedBytes != 11 || got.Backlogs != 0 {
		t.Errorf("%+v", got)
	}
	engine.Flush(&p, nil)
	waitFor(t, func() bool { got := engine.Stats(); return got.QueuedFrames == 0 && got.QueuedBytes == 0 })
	drain := func(draining bool) {
		defer hold(sessions[0])()
		sessions[0].ws.Load().draining = draining
	}
	drain(true) // all that waits
	if got := engine.Stats(); got.Backlogs != 1 {
		t.Errorf("%+v", got)
	}
	drain(false)
}
