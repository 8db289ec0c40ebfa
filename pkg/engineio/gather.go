package engineio

import (
	"runtime"
	"slices"
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
// calls is kept. Who wants to hear when all has been written leaves a promise behind the sessions,
// which the flusher keeps that comes to it when everything before it is done.
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

// Poster leaves frames with sessions and has them flushed. The zero value is ready. Calls to one Poster, from a
// Post to the Flush that follows, come one after another; other Posters may post to the same sessions meanwhile.
type Poster struct {
	owed          []*Session // that no flusher is on its way to
	frames, bytes int        // posted since the last Flush
}

// Post leaves a frame for the Flush that follows, which writes all that was posted to the session until
// then as one unit. Order and bounds are Send's.
func (p *Poster) Post(s *Session, f *Frame) {
	p.frames++
	p.bytes += f.size
	ws := s.ws.Load()
	if ws == nil {
		s.Send(f) // a poll gathers by itself
		return
	}
	s.traffic.countSent(f)
	owed, reason, err := ws.post(p, f)
	if owed {
		p.owed = append(p.owed, s)
	}
	if err != nil {
		ws.fail(reason, err)
	}
}

// Flush has what was posted written by goroutines of the server, at once and not waiting for them. They are one
// for each core at most.
//
// written, if not nil, is called once when all of it has been written, with how many frames were posted and their
// bytes: before Flush returns, or by a flusher. It must neither wait nor send. What then still waits for a poll, in
// the queue of a client that does not read, or to be encrypted, counts as written.
func (s *Server) Flush(p *Poster, written func(frames, bytes int)) {
	promise := promise{written: written, frames: p.frames, bytes: p.bytes}
	if kept := s.outbox.add(s, p.owed, promise); kept && written != nil {
		written(p.frames, p.bytes)
	}
	clear(p.owed)
	*p = Poster{owed: p.owed[:0]}
}

// outbox holds the sessions that wait for a flusher, and what has been promised.
type outbox struct {
	mu       sync.Mutex
	waiting  line[*Session] // hardly any of them twice: where several Posters have posted to it
	promises line[promise]
	flushers int
	closed   bool

	taken uint64   // sessions, since the start
	begun []uint64 // what taken was when each flusher that writes took what it has in hand; rising
}

// promise is to be kept when as many sessions have been flushed since the start as after says, the first ones.
type promise struct {
	after         uint64
	written       func(frames, bytes int)
	frames, bytes int
}

// add has sessions flushed. It says whether the promise is to be kept at once, by the caller.
func (o *outbox) add(s *Server, sessions []*Session, p promise) (kept bool) {
	if len(sessions) == 0 && p.written == nil {
		return true
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.closed {
		return true
	}
	o.waiting.add(sessions...)
	if len(sessions) > 0 {
		wanted := min(1+o.waiting.len()/flushShare, runtime.GOMAXPROCS(0))
		for ; o.flushers < wanted; o.flushers++ {
			s.wg.Go(o.flush)
		}
	}
	p.after = o.taken + uint64(o.waiting.len())
	if p.after <= o.flushed() {
		return true
	}
	if p.written != nil {
		o.promises.add(p)
	}
	return false
}

// flushed is how many sessions have been flushed, of the first ones. The lock is held.
func (o *outbox) flushed() uint64 {
	if len(o.begun) > 0 {
		return o.begun[0]
	}
	return o.taken
}

// hand is what a flusher has in hand: some sessions, or a promise.
type hand struct {
	sessions [flushChunk]*Session
	count    int
	begun    uint64
	promise  [1]promise
}

// flush writes for sessions, and keeps promises, until nothing waits.
func (o *outbox) flush() {
	var h hand
	for o.next(&h) {
		for _, session := range h.sessions[:h.count] {
			session.ws.Load().flush()
		}
		if p := h.promise[0]; p.written != nil {
			p.written(p.frames, p.bytes)
		}
	}
}

// next gives a flusher something else in hand. With nothing left it is a flusher no more.
func (o *outbox) next(h *hand) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	if h.count > 0 {
		at := slices.Index(o.begun, h.begun)
		o.begun = slices.Delete(o.begun, at, at+1)
	}
	h.count, h.promise = 0, [1]promise{}
	if p := o.promises.first(); p != nil && p.after <= o.flushed() {
		o.promises.take(h.promise[:])
		return true
	}
	if h.count = o.waiting.take(h.sessions[:]); h.count == 0 {
		o.flushers-- // another one that writes keeps what is promised
		return false
	}
	h.begun = o.taken
	o.begun = append(o.begun, o.taken)
	o.taken += uint64(h.count)
	return true
}

// close lets flushers end with what waits now.
func (o *outbox) close() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.closed = true
}

// line is a queue that keeps its memory.
type line[T any] struct {
	items []T
	gone  int // of items
}

func (l *line[T]) len() int { return len(l.items) - l.gone }

func (l *line[T]) first() *T {
	if l.len() == 0 {
		return nil
	}
	return &l.items[l.gone]
}

func (l *line[T]) add(items ...T) {
	if l.gone > 0 && len(l.items)+len(items) > cap(l.items) {
		n := copy(l.items, l.items[l.gone:])
		clear(l.items[n:])
		l.items, l.gone = l.items[:n], 0
	}
	l.items = append(l.items, items...)
}

// take moves the first ones to where there is room for them, and says how many.
func (l *line[T]) take(to []T) int {
	n := copy(to, l.items[l.gone:])
	clear(l.items[l.gone : l.gone+n])
	if l.gone += n; l.gone == len(l.items) {
		l.items, l.gone = l.items[:0], 0
	}
	return n
}

// post appends f to what is pending, or writes that, where more would be too much. A Flush is owed unless the
// Poster has had one for the session that is still to come: of another's it is not known whether it has been
// called yet.
func (t *webSocket) post(p *Poster, f *Frame) (owed bool, reason Reason, err error) {
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
	owed, t.owed = t.owed != p, p
	return owed, "", nil
}

// flush writes what is pending.
func (t *webSocket) flush() {
	t.mu.Lock()
	t.owed = nil
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
