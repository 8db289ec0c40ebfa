package socketio

import (
	"errors"
	"regexp"
	"testing"
)

// TestStats lets sockets come and go, and finds each join, end and room counted.
func TestStats(t *testing.T) {
	ended := make(chan string, 8)
	s, address := listen(t, Options{}, func(s *Server) {
		watch := func(socket *Socket) {
			socket.OnDisconnect(func(reason string) { ended <- reason })
			socket.Join("music", "stream")
			socket.On("in?", func(e *Event) { _ = e.Ack() })
			socket.On("out", func(*Event) { socket.Disconnect(false) })
		}
		s.Of("/").OnConnection(watch)
		guilds := s.OfRegexp(regexp.MustCompile(`^/guild/\d+$`))
		guilds.OnConnection(watch)
		s.Of("/closed").Use(func(*Socket) error { return errors.New("closed") })
	})
	a, b := enter(t, address, ""), enter(t, address, "")
	a.connect("/guild/1,")
	b.connect("/guild/1,")
	b.asked(`20["in?"]`, `30[]`)
	a.asked(`2/guild/1,0["in?"]`, `3/guild/1,0[]`)
	a.send("0/closed,")
	a.expect(`4/closed,{"message":"closed"}`)
	a.send("0/none,")
	a.expect(`4/none,{"message":"Invalid namespace"}`)
	a.send(`2["out"]`) // handled after what came before, joins of rooms among it
	a.expect("1")
	await(t, ended)
	b.send(`2/guild/1,["out"]`)
	b.expect("1/guild/1,")
	await(t, ended)

	got := s.Stats()
	if got.Namespaces != 3 || got.Rooms != 4 || got.Found != 1 || got.Made != 1 || got.Sockets != 2 || got.Joined != 4 || got.NotAllowed != 1 || got.NotFound != 1 {
		t.Errorf("%+v", got)
	}
	if got.Engine.WebSocket != 2 || got.Engine.OpenedWebSocket != 2 {
		t.Errorf("%+v", got.Engine)
	}

	a.send("1/guild/1,")
	await(t, ended)
	_ = b.Close()
	await(t, ended)
	got = s.Stats()
	var sum uint64
	for reason, n := range got.Ended {
		sum += n
		if want := map[string]uint64{"server namespace disconnect": 2, "client namespace disconnect": 1, "transport close": 1}[reason]; n != want {
			t.Errorf("%d ended by %q, want %d", n, reason, want)
		}
	}
	if sum != got.Joined || got.Sockets != 0 || got.Rooms != 0 || got.Namespaces != 2 {
		t.Errorf("%d ended: %+v", sum, got)
	}
}
