package socketio

import "testing"

// Every step is followed by an event to all, so that what came too much is seen.
func TestBroadcastAddresses(t *testing.T) {
	server, address, sockets := accepted(t)
	root := server.Of("/")
	var c [3]*client
	var s [3]*Socket
	for i := range c {
		c[i] = enter(t, address, "")
		s[i] = await(t, sockets)
	}
	s[0].Join("a", "b")
	s[1].Join("b")
	for _, step := range []struct {
		name string
		to   Broadcast
		want [3]bool
	}{
		{"one room", root.To("a"), [3]bool{true, false, false}},
		{"a socket of two rooms once", root.To("a", "b"), [3]bool{true, true, false}},
		{"except a room", root.Except("a"), [3]bool{false, true, true}},
		{"a room except another", root.In("b").Except("a"), [3]bool{false, true, false}},
		{"a socket's own room", root.To(s[2].ID()), [3]bool{false, false, true}},
		{"all others", s[1].Broadcast(), [3]bool{true, false, true}},
		{"a room without oneself", s[0].To("b"), [3]bool{false, true, false}},
		{"an empty room", root.To("nobody"), [3]bool{}},
	} {
		if err := step.to.Emit("x", step.name); err != nil {
			t.Fatal(err)
		}
		if err := root.Emit("end"); err != nil {
			t.Fatal(err)
		}
		for i := range c {
			if step.want[i] {
				c[i].expect(`2["x","` + step.name + `"]`)
			}
			c[i].expect(`2["end"]`)
		}
	}
}

func TestRecipientsAreThoseAtCallTime(t *testing.T) {
	server, address, sockets := accepted(t)
	in, a := enter(t, address, ""), await(t, sockets)
	out, b := enter(t, address, ""), await(t, sockets)
	a.Join("r")
	_ = server.Of("/").To("r").Emit("x")
	a.Leave("r")
	b.Join("r")
	_ = server.Of("/").Emit("end")
	in.expect(`2["x"]`, `2["end"]`)
	out.expect(`2["end"]`)
}

func TestBroadcastManagesSockets(t *testing.T) {
	server, address, sockets := accepted(t)
	root := server.Of("/")
	first, a := enter(t, address, ""), await(t, sockets)
	second, b := enter(t, address, ""), await(t, sockets)
	root.To(a.ID()).SocketsJoin("r")
	root.Except("r").SocketsJoin("q")
	if err := root.To("q").Emit("q"); err != nil {
		t.Fatal(err)
	}
	second.expect(`2["q"]`)
	root.To("q").SocketsLeave("q")
	if rooms := b.Rooms(); len(rooms) != 1 || rooms[0] != b.ID() {
		t.Errorf("rooms %q", rooms)
	}
	root.To("r").DisconnectSockets(true)
	first.expect("1")
	first.expectClosed()
	if all := root.Sockets(); len(all) != 1 || all[0] != b {
		t.Errorf("%d sockets are left", len(all))
	}
}

func TestRunOfPacketsInANamespace(t *testing.T) {
	_, address := listen(t, Options{}, func(s *Server) {
		s.Of("/n").OnConnection(func(s *Socket) {
			one, _ := NewPacket("one", []byte{1})
			two, _ := NewPacket("two")
			s.Send(one, two)
		})
	})
	enter(t, address, "/n,").expect(`51-/n,["one",{"_placeholder":true,"num":0}]`, "\x01", `2/n,["two"]`)
}
