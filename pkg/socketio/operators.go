package socketio

import (
	"context"
	"slices"
	"time"
)

// Broadcast addresses sockets of one namespace, or of all children of a parent; its methods return
// changed copies.
type Broadcast struct {
	nsp          *Namespace
	parent       *ParentNamespace // where nsp is nil
	only         *Socket          // nil: all that the rooms say
	rooms        []string         // any of them; none means all sockets
	except       []string
	local        bool // on this node only
	volatile     bool
	uncompressed bool
	timeout      time.Duration
}

// To adds rooms: a socket in several gets an event once.
func (b Broadcast) To(rooms ...string) Broadcast {
	b.rooms = append(slices.Clip(b.rooms), rooms...)
	return b
}

// In is To.
func (b Broadcast) In(rooms ...string) Broadcast { return b.To(rooms...) }

// Except leaves out the sockets in any of the rooms. A socket's id is a room of its own.
func (b Broadcast) Except(rooms ...string) Broadcast {
	b.except = append(slices.Clip(b.except), rooms...)
	return b
}

// Local keeps to the sockets of this node.
func (b Broadcast) Local() Broadcast {
	b.local = true
	return b
}

// Volatile drops the event for sockets whose transport cannot take it now.
func (b Broadcast) Volatile() Broadcast {
	b.volatile = true
	return b
}

// Compress says whether the event is compressed as the transports are set up to; false sends it over
// WebSockets as it is, whatever its size.
func (b Broadcast) Compress(compress bool) Broadcast {
	b.uncompressed = !compress
	return b
}

// Timeout bounds EmitWithAck, beside its ctx; 0 means no bound.
func (b Broadcast) Timeout(d time.Duration) Broadcast {
	b.timeout = d
	return b
}

// Emit sends an event to every socket.
func (n *Namespace) Emit(event string, args ...any) error {
	return Broadcast{nsp: n}.Emit(event, args...)
}

// Send sends a run of packets to every socket, as one unit; see Broadcast.Send.
func (n *Namespace) Send(packets ...*Packet) error { return Broadcast{nsp: n}.Send(packets...) }

// To addresses the sockets in any of the rooms.
func (n *Namespace) To(rooms ...string) Broadcast { return Broadcast{nsp: n}.To(rooms...) }

// In is To.
func (n *Namespace) In(rooms ...string) Broadcast { return n.To(rooms...) }

// Except addresses all sockets but those in any of the rooms.
func (n *Namespace) Except(rooms ...string) Broadcast { return Broadcast{nsp: n}.Except(rooms...) }

// Local addresses the sockets of this node.
func (n *Namespace) Local() Broadcast { return Broadcast{nsp: n}.Local() }

// Volatile addresses all sockets that can take an event now.
func (n *Namespace) Volatile() Broadcast { return Broadcast{nsp: n}.Volatile() }

// Compress is Broadcast.Compress for every socket.
func (n *Namespace) Compress(compress bool) Broadcast { return Broadcast{nsp: n}.Compress(compress) }

// Timeout is Broadcast.Timeout for every socket.
func (n *Namespace) Timeout(d time.Duration) Broadcast { return Broadcast{nsp: n}.Timeout(d) }

// EmitWithAck is Broadcast.EmitWithAck for every socket.
func (n *Namespace) EmitWithAck(ctx context.Context, event string, args ...any) ([]Args, error) {
	return Broadcast{nsp: n}.EmitWithAck(ctx, event, args...)
}

// Broadcast addresses all other sockets of the namespace.
func (s *Socket) Broadcast() Broadcast { return Broadcast{nsp: s.nsp}.Except(s.id) }

// To addresses the sockets in any of the rooms, without this one.
func (s *Socket) To(rooms ...string) Broadcast { return s.Broadcast().To(rooms...) }

// In is To.
func (s *Socket) In(rooms ...string) Broadcast { return s.To(rooms...) }

// Except addresses all other sockets but those in any of the rooms.
func (s *Socket) Except(rooms ...string) Broadcast { return s.Broadcast().Except(rooms...) }

// Volatile addresses this socket, if it can take an event now.
func (s *Socket) Volatile() Broadcast { return s.alone().Volatile() }

// Compress is Broadcast.Compress for this socket.
func (s *Socket) Compress(compress bool) Broadcast { return s.alone().Compress(compress) }

func (s *Socket) alone() Broadcast {
	return Broadcast{nsp: s.nsp, only: s, rooms: []string{s.id}}
}
