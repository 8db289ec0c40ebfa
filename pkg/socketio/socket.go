package socketio

import (
	"context"
	"encoding/json"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/pona-realtime/pona/pkg/engineio"
)

// Socket is one client in one namespace.
type Socket struct {
	id        string
	nsp       *Namespace
	conn      *connection
	handshake Handshake
	out       atomic.Bool // disconnected or refused
	decided   atomic.Bool // the connection listeners have returned, or it was refused

	pid       string // names the socket to its Recovery; "": it cannot come back
	recovered bool
	variant   uint8 // see SetVariant

	// Guarded by the namespace's lock.
	seats               []seat // one for each room but its own
	ownRoom             bool   // in the room of its id
	gone                bool
	walk                uint64 // the last that has met it
	entered, sent, left uint64 // in the namespace's history, see memorySession

	mu            sync.Mutex
	ctx           context.Context // Context's
	cancel        context.CancelFunc
	waiting       chan struct{} // awaitDecision's
	data          any
	listeners     listeners
	disconnecting []func(string)
	disconnect    []func(string)
	acks          map[uint64]chan Args
	nextAck       uint64
	joined        bool // set with the namespace's lock held too
	ended         bool
	reason        string        // for which it has ended
	told          bool          // the disconnect listeners are being called
	finished      bool          // the last listener has returned
	over          chan struct{} // where somebody waits for that: closed then
}

// Handshake is how the client came into the namespace.
type Handshake struct {
	// Auth is the payload of CONNECT, a JSON object; {} when there was none.
	Auth json.RawMessage
	// Issued is when CONNECT came.
	Issued time.Time

	request *engineio.Request
}

// Headers are those of the connection's first request. The caller owns the map.
func (h *Handshake) Headers() http.Header { return h.request.Header() }

// Query holds the first request's parameters as plain strings.
func (h *Handshake) Query() map[string]string { return h.request.Query() }

// URL is the first request's path and query.
func (h *Handshake) URL() string { return h.request.URL }

// Secure tells whether the first request came over TLS.
func (h *Handshake) Secure() bool { return h.request.Secure }

// Address is the peer's IP address.
func (h *Handshake) Address() string {
	host, _, err := net.SplitHostPort(h.request.RemoteAddr)
	if err != nil {
		return h.request.RemoteAddr
	}
	return host
}

// ID is the socket's id, 20 characters.
func (s *Socket) ID() string { return s.id }

// Namespace is where the socket is.
func (s *Socket) Namespace() *Namespace { return s.nsp }

// Handshake is how the client came.
func (s *Socket) Handshake() *Handshake { return &s.handshake }

// Transport is what the socket's connection uses now: "polling" or "websocket".
func (s *Socket) Transport() string { return s.conn.session.Transport() }

// SessionID is the Engine.IO id of the socket's connection, which it shares with the client's sockets in other
// namespaces. Whoever knows it can speak for the client over polling.
func (s *Socket) SessionID() string { return s.conn.session.ID() }

// SetData keeps a value with the socket.
func (s *Socket) SetData(v any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.data = v
}

// Data is the value kept with SetData, or nil.
func (s *Socket) Data() any {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.data
}

// Emit sends an event; errors are NewPacket's.
func (s *Socket) Emit(event string, args ...any) error {
	p, err := NewPacket(event, args...)
	if err == nil {
		s.Send(p)
	}
	return err
}

// Send sends a run of packets as one unit.
func (s *Socket) Send(packets ...*Packet) {
	if len(packets) == 0 {
		return
	}
	s.deliver(packets)
	s.tellAllOutgoing(packets)
}

func (s *Socket) deliver(packets []*Packet) {
	r := run{packets: packets}
	if s.conn.server.opts.Recovery != nil {
		if s.away() { // who keeps sending to it means the client, which may be back as another Socket
			Broadcast{nsp: s.nsp, rooms: []string{s.id}}.deliver(packets, nil)
			return
		}
		s.nsp.mu.Lock()
		defer s.nsp.mu.Unlock()
		r.packets = s.nsp.record(s, packets)
	}
	s.send(r.frame(s), false)
}

// send writes a frame unless the socket has ended: nothing follows its DISCONNECT.
func (s *Socket) send(f *engineio.Frame, volatile bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.alive() {
		s.write(f, volatile)
	}
}

// write writes a frame; nil is none.
func (s *Socket) write(f *engineio.Frame, volatile bool) {
	switch {
	case f == nil:
	case volatile:
		s.conn.session.SendVolatile(f)
	default:
		s.conn.session.Send(f)
	}
}

// Join puts the socket into rooms; it is in when Join returns. After its end it does nothing.
func (s *Socket) Join(rooms ...string) {
	s.nsp.mu.Lock()
	defer s.nsp.mu.Unlock()
	if s.gone {
		return
	}
	for _, room := range rooms {
		s.nsp.join(s, room)
	}
}

// Leave takes the socket out of a room.
func (s *Socket) Leave(room string) {
	s.nsp.mu.Lock()
	defer s.nsp.mu.Unlock()
	s.nsp.leave(s, room)
}

// Rooms are the rooms the socket is in, its id among them, in no order.
func (s *Socket) Rooms() []string {
	s.nsp.mu.Lock()
	defer s.nsp.mu.Unlock()
	return s.roomNames()
}
