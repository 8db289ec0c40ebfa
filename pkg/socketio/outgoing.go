package socketio

import "slices"

// OnAnyOutgoing adds a listener for every event that the socket is sent, alone or by a broadcast; off
// takes it away again. It is called by the goroutine that sends, after sending, and must not change
// the arguments. Acknowledgements, and events replayed to a client that came back, are no such events.
func (s *Socket) OnAnyOutgoing(f func(event string, args []any)) (off func()) {
	l := &outgoingListener{f}
	s.changeOutgoing(func(all []*outgoingListener) []*outgoingListener { return append(slices.Clip(all), l) })
	return func() { s.unlistenOutgoing(l) }
}

// PrependAnyOutgoing is OnAnyOutgoing, before those that are there.
func (s *Socket) PrependAnyOutgoing(f func(event string, args []any)) (off func()) {
	l := &outgoingListener{f}
	s.changeOutgoing(func(all []*outgoingListener) []*outgoingListener {
		return append([]*outgoingListener{l}, all...)
	})
	return func() { s.unlistenOutgoing(l) }
}

// OffAnyOutgoing takes away all listeners of OnAnyOutgoing and PrependAnyOutgoing.
func (s *Socket) OffAnyOutgoing() {
	s.changeOutgoing(func([]*outgoingListener) []*outgoingListener { return nil })
}

func (s *Socket) unlistenOutgoing(l *outgoingListener) {
	s.changeOutgoing(func(all []*outgoingListener) []*outgoingListener { return without(all, l) })
}

// changeOutgoing replaces the list, and keeps the namespace's count of sockets that have one.
func (s *Socket) changeOutgoing(change func([]*outgoingListener) []*outgoingListener) {
	s.nsp.mu.Lock()
	defer s.nsp.mu.Unlock()
	s.mu.Lock()
	defer s.mu.Unlock()
	before := len(s.listeners.outgoing) > 0
	s.listeners.outgoing = change(s.listeners.outgoing)
	after := len(s.listeners.outgoing) > 0
	if !s.gone && before != after {
		s.nsp.count(s, after)
	}
}

// count notes that a socket has got its first outgoing listener, or lost the last. The lock is held.
func (n *Namespace) count(s *Socket, watched bool) {
	if watched {
		if n.watched == nil {
			n.watched = map[*Socket]struct{}{}
		}
		n.watched[s] = struct{}{}
		return
	}
	delete(n.watched, s)
}

// watchers are the addressed sockets with outgoing listeners. The namespace's lock is held.
func (b Broadcast) watchers() (all []*Socket) {
	if len(b.nsp.watched) == 0 {
		return nil
	}
	b.each(func(s *Socket) {
		if _, ok := b.nsp.watched[s]; ok {
			all = append(all, s)
		}
	})
	return all
}

func (s *Socket) tellAllOutgoing(packets []*Packet) {
	for _, p := range packets {
		if p, err := p.variant(s.variant); err == nil {
			s.tellOutgoing(p.event, p.args)
		}
	}
}

// tellOutgoing tells the outgoing listeners of an event; no lock is held.
func (s *Socket) tellOutgoing(event string, args []any) {
	s.mu.Lock()
	listeners := s.listeners.outgoing
	s.mu.Unlock()
	for _, l := range listeners {
		s.conn.server.guard(func() { l.f(event, args) })
	}
}
