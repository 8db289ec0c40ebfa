package socketio

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
)

// The rooms hold what a set of pairs would, whatever joins and leaves in whatever order.
func TestRoomsAgreeWithAModel(t *testing.T) {
	type pair struct{ socket, room int }
	random := rand.New(rand.NewPCG(1, 2))
	n := &Namespace{server: &Server{}, sockets: map[string]*Socket{}}
	var sockets []*Socket
	for i := range 20 {
		s := &Socket{id: fmt.Sprint("id", i), nsp: n, joined: true}
		n.sockets[s.id] = s
		sockets = append(sockets, s)
	}
	// Room i of the first ones is the own room of socket i, for the others a room like any.
	name := func(room int) string {
		if room < 5 {
			return sockets[room].id
		}
		return fmt.Sprint("room", room)
	}
	model := map[pair]bool{}
	for range 5000 {
		p := pair{random.IntN(len(sockets)), random.IntN(12)}
		if random.IntN(2) == 0 {
			n.join(sockets[p.socket], name(p.room))
			model[p] = true
		} else {
			n.leave(sockets[p.socket], name(p.room))
			delete(model, p)
		}
	}
	rooms := map[string]bool{}
	for i, s := range sockets {
		var want []string
		for p := range model {
			if p.socket == i {
				want = append(want, name(p.room))
				if name(p.room) != s.id {
					rooms[name(p.room)] = true
				}
			}
		}
		got := s.roomNames()
		slices.Sort(got)
		slices.Sort(want)
		if !slices.Equal(got, want) {
			t.Errorf("socket %d is in %q, want %q", i, got, want)
		}
		for _, seat := range s.seats {
			if seat.room.members[seat.at] != s {
				t.Errorf("socket %d does not sit at %d of %s", i, seat.at, seat.room.name)
			}
		}
	}
	if len(n.rooms) != len(rooms) || int(n.server.counters.rooms.Load()) != len(rooms) {
		t.Errorf("%d rooms, %d counted, want %d", len(n.rooms), n.server.counters.rooms.Load(), len(rooms))
	}
	for i := range 12 {
		reached := 0
		Broadcast{nsp: n}.To(name(i)).each(func(*Socket) { reached++ })
		for p := range model {
			if p.room == i {
				reached--
			}
		}
		if reached != 0 {
			t.Errorf("room %q reaches %d too many", name(i), reached)
		}
	}
}

func TestCrowdThatHasGoneLeavesNoMemory(t *testing.T) {
	n := &Namespace{server: &Server{}, sockets: map[string]*Socket{}}
	var sockets []*Socket
	for i := range 1000 {
		s := &Socket{id: fmt.Sprint(i), nsp: n}
		n.join(s, "r")
		sockets = append(sockets, s)
	}
	for _, s := range sockets[3:] {
		n.leave(s, "r")
	}
	if r := n.rooms["r"]; len(r.members) != 3 || cap(r.members) > 16 {
		t.Errorf("%d members in a room for %d", len(r.members), cap(r.members))
	}
	for _, s := range sockets[:3] {
		n.leave(s, "r")
	}
	if len(n.rooms) != 0 {
		t.Error("the empty room is still there")
	}
}
