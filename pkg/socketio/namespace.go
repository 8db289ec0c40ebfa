package socketio

import (
	"sync"
	"time"

	"github.com/pona-realtime/pona/pkg/adapter"
	"github.com/pona-realtime/pona/pkg/engineio"
)

// Namespace is one channel of a server's connections, with sockets and rooms of its own.
//
// One lock orders joining, leaving and broadcasting: a broadcast reaches exactly the sockets that
// are in its rooms when it is called. Writing to a socket never blocks, so the lock is never held
// for a client.
type Namespace struct {
	server   *Server
	name     string
	parent   *ParentNamespace // nil: none
	cluster  *adapter.Cluster // the namespace on other nodes; nil when this one is alone
	handlers handlers

	mu      sync.Mutex
	sockets map[string]*Socket
	rooms   map[string]*room     // without those that are a socket's own
	walks   uint64               // numbers the walks of Broadcast.each
	history *history             // of a MemoryRecovery; nil without
	poster  engineio.Poster      // Broadcast.Send's
	watched map[*Socket]struct{} // those with outgoing listeners

	// Guarded by Server.mu.
	kept       bool // Of has given it away: it is never collected
	pending    int  // sockets, joining ones too, and sessions that may come back
	emptySince time.Time
	linger     *time.Timer
}

// handlers are middleware and listeners; they are registered before clients come.
type handlers struct {
	mu         sync.RWMutex
	middleware []func(*Socket) error
	connection []func(*Socket)
	serverSide map[string][]func(*ServerSideEvent)
}

// Use adds middleware: it runs before a socket joins, in a goroutine of its own, and may block; the
// socket's Context ends when its client goes. Its error refuses the socket with connect_error.
func (h *handlers) Use(f func(*Socket) error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.middleware = append(h.middleware, f)
}

// OnConnection adds a listener for sockets that joined. No event of the socket is handled before
// it returns.
func (h *handlers) OnConnection(f func(*Socket)) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.connection = append(h.connection, f)
}

func (h *handlers) snapshot() ([]func(*Socket) error, []func(*Socket)) {
	h.mu.RLock()
	defer h.mu.RUnlock()
	return h.middleware[:len(h.middleware):len(h.middleware)], h.connection[:len(h.connection):len(h.connection)]
}

func newNamespace(s *Server, name string, parent *ParentNamespace) *Namespace {
	n := &Namespace{server: s, name: name, parent: parent, sockets: map[string]*Socket{}}
	if m, ok := s.opts.Recovery.(*MemoryRecovery); ok {
		n.history = m.newHistory()
	}
	if s.opts.Cluster != nil {
		n.cluster = s.opts.Cluster.Join(name, peer{n})
	}
	return n
}

// Name is the namespace's name, such as "/" or "/guild/1".
func (n *Namespace) Name() string { return n.name }

// Use adds middleware; see ParentNamespace.Use for its rules.
func (n *Namespace) Use(f func(*Socket) error) { n.handlers.Use(f) }

// OnConnection adds a listener for sockets that joined.
func (n *Namespace) OnConnection(f func(*Socket)) { n.handlers.OnConnection(f) }

// Sockets returns the sockets that have joined, in no order.
func (n *Namespace) Sockets() []*Socket {
	n.mu.Lock()
	defer n.mu.Unlock()
	all := make([]*Socket, 0, len(n.sockets))
	for _, s := range n.sockets {
		all = append(all, s)
	}
	return all
}

// Len is the number of sockets that have joined.
func (n *Namespace) Len() int {
	n.mu.Lock()
	defer n.mu.Unlock()
	return len(n.sockets)
}

// Socket returns the socket with the id, or nil.
func (n *Namespace) Socket(id string) *Socket {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.sockets[id]
}

// enter lets an accepted socket in: it is sent what missed returns, then the answer to CONNECT, and is
// in its rooms, before any later broadcast. False when its client is gone, or missed finds nothing.
func (n *Namespace) enter(s *Socket, pid string, rooms []string, missed func(*Socket) ([]*Packet, bool)) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	if s.gone || n.sockets[s.id] != nil {
		return false
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ended {
		return false
	}
	s.pid = pid
	s.entered, s.sent = n.history.newest(), n.history.newest()
	var frames []*engineio.Frame
	if missed != nil {
		packets, ok := missed(s)
		if !ok {
			return false
		}
		r := run{packets: packets}
		if f := r.frame(s); f != nil {
			if !s.conn.session.Takes(f) {
				return false // it would be cut for that, come back, and be cut again
			}
			frames = append(frames, f)
		}
	}
	s.joined = true
	n.server.counters.countJoin(s.recovered)
	n.sockets[s.id] = s
	n.join(s, s.id)
	for _, room := range rooms {
		n.join(s, room)
	}
	s.write(engineio.JoinFrames(append(frames, connected(s))...), false)
	return true
}

// remove takes a socket out of everything, for good, and returns the rooms it was in.
func (n *Namespace) remove(s *Socket) (rooms []string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	s.gone = true
	s.left = n.history.newest()
	delete(n.watched, s)
	rooms = s.roomNames()
	for _, room := range rooms {
		n.leave(s, room)
	}
	if n.sockets[s.id] == s {
		delete(n.sockets, s.id)
	}
	return rooms
}
