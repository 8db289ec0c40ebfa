package socketio

import (
	"errors"
	"slices"

	"github.com/pona-realtime/pona/pkg/engineio"
)

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
func (b Broadcast) Send(packets ...*Packet) (failed error) {
	if len(packets) == 0 {
		return nil
	}
	if b.parent != nil {
		for _, part := range b.parts() {
			failed = errors.Join(failed, part.Send(packets...))
		}
		return failed
	}
	for _, s := range b.deliver(packets, nil) {
		s.tellAllOutgoing(packets)
	}
	return b.publish(packets)
}

// Reach is what a broadcast came to on this node.
type Reach struct {
	Sockets int
	Bytes   int64 // given to them, before framing and compression
}

// Deliver is Send for who wants to know what it came to, and when: it returns when everything has been written, or
// waits for a client that does not read. So the caller writes to all sockets itself, one after the other. It is for one
// namespace, and not for volatile events; of others it reports nothing.
func (b Broadcast) Deliver(packets ...*Packet) (reach Reach, failed error) {
	if len(packets) == 0 || b.parent != nil || b.volatile {
		return reach, b.Send(packets...)
	}
	var reached []*engineio.Session
	for _, s := range b.deliver(packets, func(s *Socket, f *engineio.Frame) {
		reached = append(reached, s.conn.session)
		reach.Sockets++
		reach.Bytes += int64(f.Size())
	}) {
		s.tellAllOutgoing(packets)
	}
	engineio.FlushNow(reached)
	return reach, b.publish(packets)
}

// deliver sends packets within one namespace and returns the sockets whose outgoing listeners are to
// be told. Each socket reached is given to note, if that is not nil.
func (b Broadcast) deliver(packets []*Packet, note func(*Socket, *engineio.Frame)) (watchers []*Socket) {
	n := b.nsp
	n.mu.Lock()
	defer n.mu.Unlock()
	watchers = b.watchers()
	r := run{packets: packets, uncompressed: b.uncompressed}
	if b.volatile {
		b.each(func(s *Socket) { s.write(r.frame(s), true) })
		return watchers
	}
	r.packets = n.history.record(b.rooms, b.except, packets)
	newest := n.history.newest()
	if b.atMost() <= fewSockets {
		b.each(func(s *Socket) {
			s.sent = newest
			f := r.frame(s)
			s.write(f, false)
			if note != nil && f != nil {
				note(s, f)
			}
		})
		return watchers
	}
	b.each(func(s *Socket) {
		s.sent = newest
		f := r.frame(s)
		if f == nil {
			return
		}
		if s.conn.session.Post(f) {
			n.owed = append(n.owed, s.conn.session)
		}
		if note != nil {
			note(s, f)
		}
	})
	n.server.engine.Flush(n.owed)
	clear(n.owed)
	n.owed = n.owed[:0]
	return watchers
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
	if b.only != nil {
		if n.sockets[b.only.id] == b.only && !b.excluded(b.only) {
			f(b.only)
		}
		return
	}
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
		if s.walk != n.walks && s.joined && !b.excluded(s) { // middleware may have put it into a room
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
	for _, part := range b.parts() {
		part.nsp.mu.Lock()
		part.each(func(s *Socket) { all = append(all, s) })
		part.nsp.mu.Unlock()
	}
	return all
}
