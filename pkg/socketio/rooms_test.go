package socketio

import (
	"slices"
	"testing"
)

func TestRooms(t *testing.T) {
	srv, address := listen(t, Options{}, serveNothing)
	over(t, func(t *testing.T, dial func(*testing.T, string) *client) {
		n := srv.Of("/")
		var clients []*client
		var sockets []*Socket
		for range 3 {
			c := dial(t, address)
			clients = append(clients, c)
			sockets = append(sockets, n.Socket(c.connect("")))
		}
		defer func() {
			for i, c := range clients {
				c.send("1")
				<-sockets[i].Context().Done()
				await(t, sockets[i].ending())
			}
			if n.mu.Lock(); len(n.rooms) != 0 || len(n.sockets) != 0 {
				t.Errorf("%d rooms and %d sockets are left", len(n.rooms), len(n.sockets))
			}
			n.mu.Unlock()
		}()
		sockets[0].Join("a", "b")
		sockets[1].Join("b", "c", "c")
		_ = n.To("a", "b").To("c").Emit("union")
		_ = n.To("b").Except("a").Emit("except a room")
		_ = n.Except(sockets[0].ID(), "c").Emit("except an id and a room")
		_ = sockets[0].To("b").Emit("to others")
		_ = sockets[0].Broadcast().Emit("broadcast")
		_ = n.To("empty").Emit("nobody")
		sockets[0].Leave("b")
		sockets[0].Leave("never joined")
		_ = n.To("b").Emit("after leaving")
		_ = n.Emit("end")
		clients[0].expect(`2["union"]`, `2["end"]`)
		clients[1].expect(`2["union"]`, `2["except a room"]`, `2["to others"]`, `2["broadcast"]`, `2["after leaving"]`, `2["end"]`)
		clients[2].expect(`2["except an id and a room"]`, `2["broadcast"]`, `2["end"]`)
		if rooms := sockets[1].Rooms(); len(rooms) != 3 || !slices.Contains(rooms, sockets[1].ID()) {
			t.Errorf("rooms %q", rooms)
		}
	})
}

func serveNothing(*Server) {}

// A polling client that has no request waiting cannot take anything.
func TestVolatileDropsTheWholePacket(t *testing.T) {
	srv, address := listen(t, Options{}, serveNothing)
	n := srv.Of("/")
	c := newClient(t, dialPolling(t, address))
	s := n.Socket(c.connect(""))
	_ = n.Volatile().Emit("dropped", []byte{1}, []byte{2})
	_ = s.Volatile().Emit("dropped", []byte{3})
	_ = n.Emit("kept", []byte{4})
	c.expect(`51-["kept",{"_placeholder":true,"num":0}]`, "\x04")

	w := enter(t, address, "")
	_ = n.Volatile().Emit("taken", []byte{5})
	w.expect(`51-["taken",{"_placeholder":true,"num":0}]`, "\x05")
}

func TestDisconnectTrueLeavesEveryNamespaceFirst(t *testing.T) {
	srv, address := listen(t, Options{}, func(s *Server) { s.Of("/b") })
	over(t, func(t *testing.T, dial func(*testing.T, string) *client) {
		c := dial(t, address)
		id := c.connect("")
		b := srv.Of("/b").Socket(c.connect("/b,"))
		_ = b.Emit("last")
		srv.Of("/").Socket(id).Disconnect(true)
		c.expect(`2/b,["last"]`, "1", "1/b,")
		c.expectClosed()
		await(t, b.ending())
		if b.reason != reasonServerDisconnect {
			t.Errorf("/b ended for %q", b.reason)
		}
	})
}

func TestUtilitiesOnRooms(t *testing.T) {
	srv, address := listen(t, Options{}, serveNothing)
	n := srv.Of("/")
	c, other := dial(t, address), dial(t, address)
	s, o := n.Socket(c.connect("")), n.Socket(other.connect(""))
	n.SocketsJoin("all")
	n.To(s.ID()).SocketsJoin("one")
	n.To("all").Except("one").SocketsJoin("rest")
	n.To("one", "rest").SocketsLeave("all")
	if a, b := s.Rooms(), o.Rooms(); len(a) != 2 || len(b) != 2 || !slices.Contains(a, "one") || !slices.Contains(b, "rest") {
		t.Errorf("rooms %q, %q", a, b)
	}
	n.To("rest").DisconnectSockets(false)
	other.expect("1")
	other.connect("")
	n.To("one").DisconnectSockets(true)
	c.expect("1")
	c.expectClosed()
}
