package socketio

import (
	"cmp"
	"container/list"
	"context"
	"sync"
	"sync/atomic"
	"time"

	"github.com/pona-realtime/pona/pkg/engineio"
)

// MemoryRecoveryOptions bounds a MemoryRecovery. What is over a bound is forgotten, oldest first: its
// clients join anew, none misses an event without knowing.
type MemoryRecoveryOptions struct {
	MaxDisconnectionDuration time.Duration // how long a client may stay away; 0 means 2 minutes
	MaxSessions              int           // of clients that are away; 0 means 10 000
	MaxPackets               int           // kept for each namespace; 0 means 10 000
	MaxBytes                 int           // of packets kept for each namespace; 0 means 16 MiB
}

// MemoryRecovery is a Recovery that keeps sessions and events in this process. Every event that wants
// no acknowledgement and is not volatile gets an offset. While a client is away, its namespace lives.
type MemoryRecovery struct {
	opts   MemoryRecoveryOptions
	linger time.Duration // how long a packet may be needed; set by NewServer
	server *Server       // likewise

	mu       sync.Mutex // taken after a namespace's lock, if both
	sessions map[string]*list.Element
	order    list.List // of *memorySession, the longest away first
	expiry   *time.Timer
	sweep    *time.Timer // forgets old events where nothing is sent any more
	sweeping atomic.Bool // it is set
	closed   bool
}

// memorySession is a client that is away.
type memorySession struct {
	pid, id string
	nsp     *Namespace
	rooms   []string
	data    any
	entered uint64 // what the client surely has: the newest event when it joined, or where it came back to
	sent    uint64 // the last event the socket was sent
	left    uint64 // the newest event when it ended
	at      time.Time
	ending  <-chan struct{} // closed when the last listener of the socket has returned
}

// NewMemoryRecovery returns a Recovery for one server's Options.
func NewMemoryRecovery(opts MemoryRecoveryOptions) *MemoryRecovery {
	if opts.MaxDisconnectionDuration <= 0 {
		opts.MaxDisconnectionDuration = 2 * time.Minute
	}
	if opts.MaxSessions <= 0 {
		opts.MaxSessions = 10_000
	}
	if opts.MaxPackets <= 0 {
		opts.MaxPackets = 10_000
	}
	if opts.MaxBytes <= 0 {
		opts.MaxBytes = 16 << 20
	}
	return &MemoryRecovery{opts: opts, sessions: map[string]*list.Element{}}
}

// attach is called by NewServer.
func (m *MemoryRecovery) attach(s *Server) {
	noticed := cmp.Or(s.opts.Engine.PingInterval, 25*time.Second) + cmp.Or(s.opts.Engine.PingTimeout, 20*time.Second)
	m.server, m.linger = s, m.opts.MaxDisconnectionDuration+noticed
}

// Ticket implements Recovery: the socket's id, and a secret.
func (m *MemoryRecovery) Ticket(s *Socket) string { return s.id + engineio.NewID() }

// Persist implements Recovery.
func (m *MemoryRecovery) Persist(s *Socket, rooms []string) {
	session := &memorySession{pid: s.pid, id: s.id, nsp: s.nsp, rooms: rooms, data: s.Data(),
		entered: s.entered, sent: s.sent, left: s.left, at: time.Now(), ending: s.ending()}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.closed {
		return
	}
	m.server.hold(s.nsp)
	m.sessions[s.pid] = m.order.PushBack(session)
	if len(m.sessions) > m.opts.MaxSessions {
		m.forget(m.order.Front())
	}
	m.schedule()
}

const idLength = 20

// forget ends a session. The lock is held.
func (m *MemoryRecovery) forget(e *list.Element) *memorySession {
	session := m.order.Remove(e).(*memorySession)
	delete(m.sessions, session.pid)
	m.server.collect(session.nsp)
	return session
}

// schedule lets the sessions expire that are due, and comes again for the next. The lock is held.
func (m *MemoryRecovery) schedule() {
	for {
		oldest := m.order.Front()
		if oldest == nil {
			return
		}
		wait := time.Until(oldest.Value.(*memorySession).at.Add(m.opts.MaxDisconnectionDuration))
		if wait > 0 {
			m.wake(wait)
			return
		}
		m.forget(oldest)
	}
}

func (m *MemoryRecovery) wake(wait time.Duration) {
	if m.expiry != nil {
		m.expiry.Reset(wait)
		return
	}
	m.expiry = time.AfterFunc(wait, func() {
		m.mu.Lock()
		defer m.mu.Unlock()
		if !m.closed {
			m.schedule()
		}
	})
}

// Restore implements Recovery.
func (m *MemoryRecovery) Restore(ctx context.Context, n *Namespace, pid, offset string) *Restored {
	if len(pid) > idLength {
		if old := n.Socket(pid[:idLength]); old != nil && old.pid == pid && !old.supersede(ctx) {
			return nil
		}
	}
	e, session := m.session(pid)
	if session == nil || session.nsp != n {
		return nil
	}
	select {
	case <-session.ending:
	case <-ctx.Done():
		return nil
	}
	return &Restored{ID: session.id, Rooms: session.rooms, Data: session.data, missed: func(s *Socket) ([]*Packet, bool) {
		m.mu.Lock()
		defer m.mu.Unlock()
		if m.sessions[pid] != e {
			return nil, false // expired meanwhile, or the client has come back elsewhere
		}
		m.forget(e)
		after := session.position(n.history, offset)
		packets, ok := n.history.since(after, session.rooms)
		s.entered = after
		if len(packets) == 0 {
			s.sent = after
		}
		return packets, ok
	}}
}

func (m *MemoryRecovery) session(pid string) (*list.Element, *memorySession) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.schedule()
	e := m.sessions[pid]
	if e == nil {
		return nil, nil
	}
	return e, e.Value.(*memorySession)
}

// position is the event that the client has everything up to. An offset of another history is from
// before this session, and so is one older than it: the client has handled no event of this session.
func (session *memorySession) position(h *history, offset string) uint64 {
	position := session.entered
	if seq, ok := h.parse(offset); ok {
		position = max(position, seq)
	}
	if position >= session.sent { // nothing was lost on the way: it has missed what came after its end
		position = max(position, session.left)
	}
	return position
}

// sweepLater sees to it that the events kept now are forgotten in time. The lock of a namespace may be held.
func (m *MemoryRecovery) sweepLater() {
	if !m.sweeping.CompareAndSwap(false, true) {
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if !m.closed {
		m.sweep = time.AfterFunc(m.linger+time.Second, m.sweepNow)
	}
}

func (m *MemoryRecovery) sweepNow() {
	m.sweeping.Store(false)
	for _, n := range m.server.all() {
		n.mu.Lock()
		n.history.trim(time.Now())
		left := len(n.history.kept) > 0
		n.mu.Unlock()
		if left {
			m.sweepLater()
		}
	}
}

// close forgets everything.
func (m *MemoryRecovery) close() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.closed = true
	if m.expiry != nil {
		m.expiry.Stop()
	}
	if m.sweep != nil {
		m.sweep.Stop()
	}
	for m.order.Len() > 0 {
		m.forget(m.order.Front())
	}
}
