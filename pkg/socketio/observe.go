package socketio

// observers hear of all sockets of a server. They are registered before clients come.
type observers struct {
	socket  []func(*Socket)
	upgrade []func(*Socket)
	room    []func(s *Socket, room string, in bool)
}

// OnSocket adds a listener for every socket that joins, in whatever namespace; it is called before the
// namespace's connection listeners. It is for those who watch a server, and comes before the first request.
func (s *Server) OnSocket(f func(*Socket)) { s.observers.socket = append(s.observers.socket, f) }

// OnUpgrade adds a listener for every socket whose connection moves from polling to WebSocket; nothing that came by
// the WebSocket is handled before it returns. It may be called before OnSocket's of a socket that joins at that
// moment, and is not called for one that joins later. It comes before the first request.
func (s *Server) OnUpgrade(f func(*Socket)) {
	s.observers.upgrade = append(s.observers.upgrade, f)
}

// OnRoom adds a listener for every socket that joins a room or leaves it, its own room aside; a socket that
// ends leaves its rooms. f is called under the namespace's lock: it must be quick and must not call the
// namespace or its sockets, but for Socket.ID and Socket.Namespace. It comes before the first request.
func (s *Server) OnRoom(f func(s *Socket, room string, in bool)) {
	s.observers.room = append(s.observers.room, f)
}

func (s *Server) observeSocket(socket *Socket) {
	for _, f := range s.observers.socket {
		s.guard(func() { f(socket) })
	}
}

func (s *Server) observeUpgrade(socket *Socket) {
	for _, f := range s.observers.upgrade {
		s.guard(func() { f(socket) })
	}
}

func (s *Server) observeRoom(socket *Socket, room string, in bool) {
	for _, f := range s.observers.room {
		f(socket, room, in)
	}
}
