package socketio

import (
	"errors"
	"slices"
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
func (b Broadcast) Send(packets ...*Packet) error { return b.Deliver(nil, packets...) }

// Deliver is Send for who wants to know when it is done, and what it came to: written, if not nil, is called once,
// for each namespace, when all addressed sockets of this node have been written to; at once where there are none.
// It is told how many they are, and the bytes given to them, before framing and compression. What then still
// waits for a client's poll, in the queue of one that does not read, or to be encrypted, counts as written. It may
// be called before Deliver returns, by this goroutine or another one, with locks held: it must neither wait nor
// use the server.
func (b Broadcast) Deliver(written func(sockets, bytes int), packets ...*Packet) (failed error) {
	if len(packets) == 0 {
		return nil
	}
	if b.parent != nil {
		for _, part := range b.parts() {
			failed = errors.Join(failed, part.Deliver(written, packets...))
		}
		return failed
	}
	for _, s := range b.deliver(packets, written) {
		s.tellAllOutgoing(packets)
	}
	return b.publish(packets)
}

// deliver sends packets within one namespace and returns the sockets whose outgoing listeners are to
// be told.
func (b Broadcast) deliver(packets []*Packet, written func(sockets, bytes int)) (watchers []*Socket) {
	n := b.nsp
	n.mu.Lock()
	watchers = b.watchers()
	r := run{packets: packets, uncompressed: b.uncompressed}
	if !b.volatile {
		r.packets = n.history.record(b.rooms, b.except, packets)
		if b.atMost() > fewSockets {
			b.post(&r, written)
			n.mu.Unlock()
			return watchers
		}
	}
	sockets, bytes := b.write(&r)
	n.mu.Unlock()
	if written != nil {
		written(sockets, bytes)
	}
	return watchers
}

// write writes to all addressed sockets. The namespace's lock is held.
func (b Broadcast) write(r *run) (sockets, bytes int) {
	newest := b.nsp.history.newest()
	b.each(func(s *Socket) {
		if !b.volatile {
			s.sent = newest
		}
		if f := r.frame(s); f != nil {
			s.write(f, b.volatile)
			sockets++
			bytes += f.Size()
		}
	})
	return sockets, bytes
}

// post has a flusher write to all addressed sockets. The namespace's lock is held.
func (b Broadcast) post(r *run, written func(sockets, bytes int)) {
	n := b.nsp
	newest := n.history.newest()
	b.each(func(s *Socket) {
		s.sent = newest
		if f := r.frame(s); f != nil {
			n.poster.Post(s.conn.session, f)
		}
	})
	n.server.engine.Flush(&n.poster, written)
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
