package engineio

import (
	"runtime"
	"sync"
)

// Frames that are due for many sessions at the same moment are gathered:
//
//	Post(a) ─┐
//	Post(b) ─┼─▶ session: a·b pending ─▶ Flush ─▶ a flusher writes a·b at once
//	Post(c) ─┘   (while the flusher was elsewhere: a·b·c)
//
// A lone frame is not delayed: a flusher starts with the first Flush and writes what it finds. Who
// sends to such a session directly writes what is pending there in front of it: the order of the
// calls is kept.
const (
	// What is pending for one session is bounded; at the bound whoever posts writes it.
	maxPendingBytes  = 64 << 10
	maxPendingFrames = 64
	// flushChunk is how many sessions a flusher takes at a time.
	flushChunk = 64
	// flushShare is how many waiting sessions justify another flusher. On two cores that have other
	// work too, a room of 1000 shared by two is served no sooner, and what is gathered costs a fifth
	// more; from here on, at some 5 µs a write, one flusher takes 10 ms.
	flushShare = 2048
)

// Post leaves a frame for the next Flush of the session, which writes all that was posted until
// then as one unit. It says whether a Flush is owed; where not, one is on its way or nothing is
// pending. Order and bounds are Send's.
func (s *Session) Post(f *Frame) (owed bool) {
	ws := s.ws.Load()
	if ws == nil {
		s.Send(f) // a poll gathers by itself
		return false
	}
	s.traffic.countSent(f)
	owed, reason, err := ws.post(f)
	if err != nil {
		ws.fail(reason, err)
	}
	return owed
}

// Flush has what was posted to the sessions written by goroutines of the server, at once and not
// waiting for them. They are one for each core at most. The slice remains the caller's.
func (s *Server) Flush(sessions []*Session) {
	if len(sessions) > 0 {
		s.outbox.add(s, sessions)
	}
}

// FlushNow is Flush by the caller, for sessions whose Post owed one or not: what was posted to them has been
// written when it returns, or waits in the queue of one whose client does not read.
func FlushNow(sessions []*Session) {
	for _, s := range sessions {
		if ws := s.ws.Load(); ws != nil {
			ws.flush()
		}
	}
}

// outbox holds the sessions that wait for a flusher, each of them once.
type outbox struct {
	mu       sync.Mutex
	waiting  []*Session
	next     int // of waiting
	flushers int
	closed   bool
}

func (o *outbox) add(s *Server, sessions []*Session) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.closed {
		return
	}
	if o.next > 0 && len(o.waiting)+len(sessions) > cap(o.waiting) {
		n := copy(o.waiting, o.waiting[o.next:])
		clear(o.waiting[n:])
		o.waiting, o.next = o.waiting[:n], 0
	}
	o.waiting = append(o.waiting, sessions...)
	wanted := min(1+(len(o.waiting)-o.next)/flushShare, runtime.GOMAXPROCS(0))
	for ; o.flushers < wanted; o.flushers++ {
		s.wg.Go(o.flush)
	}
}

// flush writes for sessions until none waits.
func (o *outbox) flush() {
	var chunk [flushChunk]*Session
	for {
		n := o.take(chunk[:])
		if n == 0 {
			return
		}
		for _, session := range chunk[:n] {
			session.ws.Load().flush()
		}
	}
}

// take moves waiting sessions to chunk; with none left the caller is a flusher no more.
func (o *outbox) take(chunk []*Session) int {
	o.mu.Lock()
	defer o.mu.Unlock()
	n := copy(chunk, o.waiting[o.next:])
	clear(o.waiting[o.next : o.next+n])
	o.next += n
	if n == 0 {
		o.waiting, o.next = o.waiting[:0], 0
		o.flushers--
	}
	return n
}

// close lets flushers end with what waits now.
func (o *outbox) close() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.closed = true
}

// post appends f to what is pending, or writes that, where more would be too much.
func (t *webSocket) post(f *Frame) (owed bool, reason Reason, err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	switch {
	case t.closing:
		return false, "", nil
	case t.draining || t.raw == nil: // the drain goroutine gathers
		reason, err = t.write(f, false)
		return false, reason, err
	case t.pending == nil:
		t.pending = f
	case t.pending.size+f.size <= maxPendingBytes && t.pending.count()+f.count() <= maxPendingFrames:
		t.pending = t.pending.then(f)
	default:
		if reason, err = t.write(t.takePending(), false); err != nil {
			return false, reason, err
		}
		t.pending = f
	}
	owed, t.owed = !t.owed, true
	return owed, "", nil
}

// flush writes what is pending.
func (t *webSocket) flush() {
	t.mu.Lock()
	t.owed = false
	var reason Reason
	var err error
	if pending := t.takePending(); pending != nil {
		reason, err = t.write(pending, false)
	}
	t.mu.Unlock()
	if err != nil {
		t.fail(reason, err)
	}
}

// takePending is called with the lock held.
func (t *webSocket) takePending() *Frame {
	f := t.pending
	t.pending = nil
	return f
}
