package socketio

import "slices"

// Broadcast addresses sockets of one namespace; its methods return changed copies.
type Broadcast struct {
	nsp      *Namespace
	rooms    []string // any of them; none means all sockets
	except   []string
	volatile bool
	local    bool // on this node only
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

// Emit encodes an event once and sends it to the addressed sockets; errors are NewPacket's and Send's.
func (b Broadcast) Emit(event string, args ...any) error {
	p, err := NewPacket(event, args...)
	if err != nil {
		return err
	}
	return b.Send(p)
}

// Send sends a run of packets as one unit: encoded once, one write for each socket. This node's sockets
// always get it; an error says that those of other nodes do not, or not all of it.
func (b Broadcast) Send(packets ...*Packet) error {
	if len(packets) == 0 {
		return nil
	}
	b.send(packets)
	return b.publish(packets)
}

// send serves the sockets of this node.
func (b Broadcast) send(packets []*Packet) {
	n := b.nsp
	n.mu.Lock()
	defer n.mu.Unlock()
	r := run{nsp: n.name, packets: packets}
	if b.volatile {
		b.each(func(s *Socket) { s.write(r.frame(s), true) })
		return
	}
	r.packets = n.history.record(n.name, b.rooms, b.except, packets)
	newest := n.history.newest()
	if b.atMost() <= fewSockets {
		b.each(func(s *Socket) {
			s.sent = newest
			s.write(r.frame(s), false)
		})
		return
	}
	b.each(func(s *Socket) {
		s.sent = newest
		if s.conn.session.Post(r.frame(s)) {
			n.owed = append(n.owed, s.conn.session)
		}
	})
	n.server.engine.Flush(n.owed)
	clear(n.owed)
	n.owed = n.owed[:0]
}

// fewSockets are written to by whoever broadcasts; for more it pays to wake a flusher, so that the
// events that follow at once can be gathered.
const fewSockets = 32

// atMost is how many sockets are addressed, or more. The namespace's lock is held.
func (b Broadcast) atMost() (n int) {
	if len(b.rooms) == 0 {
		return len(b.nsp.sockets)
	}
	for _, room := range b.rooms {
		n++ // the socket whose own room it may be
		if r := b.nsp.rooms[room]; r != nil {
			n += len(r.members)
		}
	}
	return n
}

// each calls f for every addressed socket, once. The namespace's lock is held.
func (b Broadcast) each(f func(*Socket)) {
	n := b.nsp
	if len(b.rooms) == 0 {
		for _, s := range n.sockets {
			if !b.excluded(s) {
				f(s)
			}
		}
		return
	}
	n.walks++
	visit := func(s *Socket) {
		if s.walk != n.walks && !b.excluded(s) {
			s.walk = n.walks
			f(s)
		}
	}
	for _, name := range b.rooms {
		if r := n.rooms[name]; r != nil {
			for _, s := range r.members {
				visit(s)
			}
		}
		if s := n.sockets[name]; s != nil && s.ownRoom {
			visit(s)
		}
	}
}

func (b Broadcast) excluded(s *Socket) bool { return slices.ContainsFunc(b.except, s.in) }

// sockets returns the addressed sockets.
func (b Broadcast) sockets() (all []*Socket) {
	b.nsp.mu.Lock()
	defer b.nsp.mu.Unlock()
	b.each(func(s *Socket) { all = append(all, s) })
	return all
}
