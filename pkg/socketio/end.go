package socketio

import "github.com/pona-realtime/pona/pkg/engineio"

// OnDisconnecting adds a listener that still sees the socket's rooms. On a socket that has ended it is
// called at once.
func (s *Socket) OnDisconnecting(f func(reason string)) {
	s.mu.Lock()
	if !s.ended {
		s.disconnecting = append(s.disconnecting, f)
		s.mu.Unlock()
		return
	}
	s.mu.Unlock()
	f(s.reason)
}

// OnDisconnect adds a listener for the socket's end. On a socket that has ended it is called at once:
// a connection listener may run after its client has gone, and learns it in this way.
func (s *Socket) OnDisconnect(f func(reason string)) {
	s.mu.Lock()
	if !s.told {
		s.disconnect = append(s.disconnect, f)
		s.mu.Unlock()
		return
	}
	s.mu.Unlock()
	f(s.reason)
}

// Disconnect takes the socket out of its namespace, with a packet that keeps stock clients from
// coming back by themselves; with closeTransport the whole connection.
func (s *Socket) Disconnect(closeTransport bool) {
	if closeTransport {
		s.conn.disconnectAll()
		return
	}
	s.conn.expel(s)
	s.dismiss()
}

// dismiss ends the socket with a DISCONNECT.
func (s *Socket) dismiss() {
	s.endWith(reasonServerDisconnect, s.conn.format.plain(typeDisconnect, s.nsp.name, nil))
}

// end takes the socket out and runs its last listeners, once.
func (s *Socket) end(reason string) { s.endWith(reason, nil) }

// endWith is end with a last frame, after which the client hears nothing of this socket; nil is none.
func (s *Socket) endWith(reason string, last *engineio.Frame) {
	s.mu.Lock()
	first, joined := !s.ended, s.joined
	if first {
		s.ended, s.reason = true, reason
	}
	disconnecting := s.disconnecting
	s.mu.Unlock()
	if !first {
		return
	}
	server := s.conn.server
	if joined {
		for _, f := range disconnecting {
			server.guard(func() { f(reason) })
		}
	}
	s.disconnected()
	rooms := s.nsp.remove(s)
	s.write(last, false)
	if joined {
		server.counters.countEnd(reason)
	}
	if joined && s.pid != "" && resumable[reason] {
		server.guard(func() { server.opts.Recovery.Persist(s, rooms) })
	}
	server.collect(s.nsp)
	s.mu.Lock()
	s.told = true
	disconnect := s.disconnect
	s.mu.Unlock()
	if joined {
		for _, f := range disconnect {
			server.guard(func() { f(reason) })
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.finished = true
	if s.over != nil {
		close(s.over)
	}
}

// ending is closed when the socket has ended and its last listener has returned.
func (s *Socket) ending() <-chan struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.over == nil {
		s.over = make(chan struct{})
		if s.finished {
			close(s.over)
		}
	}
	return s.over
}
