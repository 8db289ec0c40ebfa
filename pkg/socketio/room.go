package socketio

import "slices"

// room is a set of sockets of one namespace, which it has as long as it has members. It is guarded by
// the namespace's lock.
type room struct {
	name    string
	members []*Socket // in no order
}

// seat is a socket's place in a room: members[at] is the socket.
type seat struct {
	room *room
	at   int
}

// join puts s into a room. The lock is held.
func (n *Namespace) join(s *Socket, name string) {
	if name == s.id { // a socket's own room has no other member, and no room is made for it
		if !s.ownRoom {
			n.announce(name, true)
		}
		s.ownRoom = true
		return
	}
	r := n.rooms[name]
	if r == nil {
		if n.rooms == nil {
			n.rooms = map[string]*room{}
		}
		n.server.counters.rooms.Add(1)
		r = &room{name: name}
		n.rooms[name] = r
		n.announce(name, true)
	} else if s.seatIn(r) >= 0 {
		return
	}
	s.seats = append(s.seats, seat{r, len(r.members)})
	r.members = append(r.members, s)
	n.server.observeRoom(s, name, true)
}

// leave takes s out of a room. The lock is held.
func (n *Namespace) leave(s *Socket, name string) {
	if name == s.id {
		if s.ownRoom {
			n.announce(name, false)
		}
		s.ownRoom = false
		return
	}
	r := n.rooms[name]
	if r == nil {
		return
	}
	i := s.seatIn(r)
	if i < 0 {
		return
	}
	at, last := s.seats[i].at, len(r.members)-1
	s.seats = slices.Delete(s.seats, i, i+1)
	n.server.observeRoom(s, name, false)
	if moved := r.members[last]; moved != s {
		r.members[at] = moved
		moved.seats[moved.seatIn(r)].at = at
	}
	r.members[last] = nil
	r.members = r.members[:last]
	switch {
	case last == 0:
		n.server.counters.rooms.Add(-1)
		delete(n.rooms, name)
		n.announce(name, false)
	case last < cap(r.members)/4: // a crowd that has gone leaves no memory behind
		r.members = slices.Clone(r.members)
	}
}

// seatIn is the index among s.seats of the one in r, or -1.
func (s *Socket) seatIn(r *room) int {
	return slices.IndexFunc(s.seats, func(seat seat) bool { return seat.room == r })
}

// in tells whether the socket is in a room. The lock is held.
func (s *Socket) in(name string) bool {
	if name == s.id {
		return s.ownRoom
	}
	r := s.nsp.rooms[name]
	return r != nil && s.seatIn(r) >= 0
}

// roomNames are the rooms s is in, its id among them, in no order. The lock is held.
func (s *Socket) roomNames() []string {
	names := make([]string, 0, len(s.seats)+1)
	if s.ownRoom {
		names = append(names, s.id)
	}
	for _, seat := range s.seats {
		names = append(names, seat.room.name)
	}
	return names
}

// announce tells the cluster that a room has got its first member here, or has lost its last.
func (n *Namespace) announce(name string, members bool) {
	switch {
	case n.cluster == nil:
	case members:
		n.cluster.RoomCreated(name)
	default:
		n.cluster.RoomDeleted(name)
	}
}

// roomNames are the rooms that have members here, sockets' own among them, in no order.
func (n *Namespace) roomNames() []string {
	n.mu.Lock()
	defer n.mu.Unlock()
	names := make([]string, 0, len(n.rooms)+len(n.sockets))
	for name := range n.rooms {
		names = append(names, name)
	}
	for id, s := range n.sockets {
		if s.ownRoom {
			names = append(names, id)
		}
	}
	return names
}
