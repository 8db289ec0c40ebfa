package engineio

import (
	"errors"
	"sync"
	"time"
)

var (
	errPingTimeout = errors.New("engineio: no pong in time")
	errClientPing  = errors.New("engineio: the client sent a ping")
)

// beat is a session's place in the heartbeat (§ Heartbeat). Times are durations since the server's start.
type beat struct {
	prev, next *Session // guarded by beats.mu
	slot       int32    // guarded by beats.mu; -1: nowhere

	// Guarded by Session.mu.
	due      time.Duration // of the next ping, or of the pong
	pinged   time.Duration // when the last ping left
	awaiting bool          // a ping is out
	extended bool          // a packet other than the pong has moved due
}

// beats is one timing wheel for all sessions: one goroutine and one ticker, however many there are.
// A session is looked at when its slot comes around; hearing from a client moves nothing, the next
// look finds the later deadline.
type beats struct {
	server *Server
	tick   time.Duration

	mu    sync.Mutex
	slots []*Session // heads of doubly linked lists
	now   int
}

func newBeats(s *Server) *beats {
	shorter, longer := min(s.opts.PingInterval, s.opts.PingTimeout), max(s.opts.PingInterval, s.opts.PingTimeout)
	tick := min(max(shorter/40, time.Millisecond), 500*time.Millisecond)
	return &beats{server: s, tick: tick, slots: make([]*Session, int(longer/tick)+2)}
}

// run turns the wheel until done is closed.
func (b *beats) run(done <-chan struct{}) {
	ticker := time.NewTicker(b.tick)
	defer ticker.Stop()
	start, turned := time.Now(), 0
	for {
		select {
		case <-done:
			return
		case <-ticker.C:
		}
		// A late goroutine catches up: the wheel keeps the clock's pace.
		for due := int(time.Since(start) / b.tick); turned < due; turned++ {
			b.mu.Lock()
			b.now = (b.now + 1) % len(b.slots)
			s := b.slots[b.now]
			b.slots[b.now] = nil
			for o := s; o != nil; o = o.beat.next {
				o.beat.slot = -1
			}
			b.mu.Unlock()
			for s != nil {
				b.mu.Lock()
				next := s.beat.next
				s.beat.prev, s.beat.next = nil, nil
				b.mu.Unlock()
				s.beatDue()
				s = next
			}
		}
	}
}

// add puts s into the slot of its due time.
func (b *beats) add(s *Session, in time.Duration) {
	ticks := min(max(int((in+b.tick-1)/b.tick), 1), len(b.slots)-1)
	b.mu.Lock()
	defer b.mu.Unlock()
	if s.beat.slot == beatGone {
		return
	}
	slot := (b.now + ticks) % len(b.slots)
	s.beat.slot, s.beat.prev, s.beat.next = int32(slot), nil, b.slots[slot]
	if s.beat.next != nil {
		s.beat.next.beat.prev = s
	}
	b.slots[slot] = s
}

// beatGone marks a session that must not be added again.
const beatGone = -2

func (b *beats) remove(s *Session) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if s.beat.slot >= 0 {
		if s.beat.prev != nil {
			s.beat.prev.beat.next = s.beat.next
		} else {
			b.slots[s.beat.slot] = s.beat.next
		}
		if s.beat.next != nil {
			s.beat.next.beat.prev = s.beat.prev
		}
		s.beat.prev, s.beat.next = nil, nil
	}
	s.beat.slot = beatGone
}

// startBeat begins the heartbeat; it comes before the handshake leaves.
func (s *Session) startBeat() {
	s.server.counters.countOpen(s.ws.Load() != nil, s.server.Len())
	s.mu.Lock()
	s.beat.due = s.server.elapsed() + s.server.opts.PingInterval
	s.mu.Unlock()
	s.server.beats.add(s, s.server.opts.PingInterval)
}

// beatDue looks at the session when its slot comes around.
func (s *Session) beatDue() {
	now := s.server.elapsed()
	s.mu.Lock()
	if s.state == stateClosed {
		s.mu.Unlock()
		return
	}
	if now >= s.beat.due {
		if s.state == stateClosing {
			s.mu.Unlock()
			s.forget()
			return
		}
		if s.beat.awaiting {
			s.mu.Unlock()
			s.end(ReasonPingTimeout, errPingTimeout, false)
			return
		}
		s.sendPacket(PacketPing)
		s.beat.awaiting, s.beat.extended = true, false
		s.beat.pinged = now
		if s.ws.Load() != nil || s.poll != nil {
			s.beat.due = now // the wheel may have come late; who is not there to take the ping gains nothing by that
		}
		s.beat.due += s.server.opts.PingTimeout
	}
	in := min(s.beat.due-now, s.server.opts.PingInterval) // a pong may bring the next ping forward
	s.mu.Unlock()
	s.server.beats.add(s, in)
}

// heard notes that the client lives, and says whether the session still does. A pong ends the wait;
// another packet may prolong it once.
func (s *Session) heard(pong bool) bool {
	now := s.server.elapsed()
	s.mu.Lock()
	switch {
	case s.state != stateOpen:
		s.mu.Unlock()
		return false
	case s.late(now):
		s.mu.Unlock()
		s.end(ReasonPingTimeout, errPingTimeout, false)
		return false
	case pong && s.beat.awaiting:
		s.beat.awaiting = false
		s.server.counters.countPing(now - s.beat.pinged)
		s.beat.due = now + s.server.opts.PingInterval
	case !pong && s.beat.awaiting && !s.beat.extended:
		s.beat.extended = true
		s.beat.due = now + s.server.opts.PingTimeout
	}
	s.mu.Unlock()
	return true
}

// late tells whether the pong is overdue, though the wheel has not come around. The lock is held.
func (s *Session) late(now time.Duration) bool {
	return s.state == stateOpen && s.beat.awaiting && now >= s.beat.due
}

// lapsed ends a session whose pong is overdue, and says so.
func (s *Session) lapsed() bool {
	s.mu.Lock()
	late := s.late(s.server.elapsed())
	s.mu.Unlock()
	if late {
		s.end(ReasonPingTimeout, errPingTimeout, false)
	}
	return late
}
