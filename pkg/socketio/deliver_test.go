package socketio

import (
	"regexp"
	"testing"
)

// tally is what one Deliver has come to.
type tally struct{ sockets, bytes int }

// TestDeliverTellsWhatItCameTo broadcasts to rooms that are written to at once, and by a flusher.
func TestDeliverTellsWhatItCameTo(t *testing.T) {
	for _, members := range []int{1, fewSockets + 1} {
		server, address, sockets := accepted(t)
		clients := make([]*client, members)
		for i := range clients {
			clients[i] = enter(t, address, "")
			await(t, sockets).Join("r")
		}
		enter(t, address, "") // is in no room
		await(t, sockets)
		one, _ := NewPacket("one", 1)
		two, _ := NewPacket("two")
		told := make(chan tally, 1)
		tell := func(sockets, bytes int) { told <- tally{sockets, bytes} }
		if err := server.Of("/").To("r").Deliver(tell, one, two); err != nil {
			t.Fatal(err)
		}
		if got, want := await(t, told), (tally{members, members * len(`2["one",1]`+`2["two"]`)}); got != want {
			t.Errorf("%+v, want %+v", got, want)
		}
		if waits := server.Stats().Engine.QueuedFrames; waits != 0 {
			t.Errorf("%d frames have not been written", waits)
		}
		for _, c := range clients {
			c.expect(`2["one",1]`, `2["two"]`)
		}
		if err := server.Of("/").To("nobody").Deliver(tell, one); err != nil || await(t, told) != (tally{}) {
			t.Errorf("nobody: %v", err)
		}
		if err := server.Of("/").To("r").Volatile().Deliver(tell, one); err != nil || await(t, told).sockets != members {
			t.Errorf("volatile: %v", err)
		}
	}
}

// TestDeliverTellsWhenItIsDone keeps the flusher of a large room busy: what follows has not been written as long as
// it is.
func TestDeliverTellsWhenItIsDone(t *testing.T) {
	server, clients, _ := crowd(t, 2*fewSockets)
	root := server.Of("/")
	one, _ := NewPacket("one")
	two, _ := NewPacket("two")
	busy, free := make(chan struct{}), make(chan struct{})
	if err := root.To().Deliver(func(int, int) { close(busy); <-free }, one); err != nil {
		t.Fatal(err)
	}
	await(t, busy)
	for _, c := range clients {
		c.expect(`2["one"]`)
	}
	told := make(chan tally, 1)
	if err := root.To().Deliver(func(sockets, bytes int) { told <- tally{sockets, bytes} }, two); err != nil {
		t.Fatal(err)
	}
	if waits := server.Stats().Engine.QueuedFrames; waits != len(clients) {
		t.Errorf("%d frames wait for the flusher", waits)
	}
	select {
	case <-told:
		t.Error("nobody has been written to")
	default:
	}
	close(free)
	if got := await(t, told); got.sockets != len(clients) {
		t.Errorf("%+v", got)
	}
	for _, c := range clients {
		c.expect(`2["two"]`)
	}
}

// TestTellingCostsNoAllocation compares events of which somebody wants to hear with others: no socket adds one.
func TestTellingCostsNoAllocation(t *testing.T) {
	const size = 4 * fewSockets
	a := newAudience(t, size)
	wire := int64(len(`42["event"]`) + 2)
	var sent int64
	told := make(chan tally, 1)
	tell := func(sockets, bytes int) { told <- tally{sockets, bytes} }
	measure := func(written func(sockets, bytes int)) float64 {
		return testing.AllocsPerRun(100, func() {
			packet, _ := NewPacket("event")
			_ = a.server.Of("/").To().Deliver(written, packet)
			sent++
			a.await(sent * wire)
			if written != nil {
				<-told
			}
		})
	}
	if silent, telling := measure(nil), measure(tell); telling > silent+size/8 { // pools forget under the race detector
		t.Errorf("%v allocations an event, %v without telling", telling, silent)
	}
}

func TestDeliverTellsOfEachNamespace(t *testing.T) {
	sockets := make(chan *Socket, 3)
	var guilds *ParentNamespace
	_, address := listen(t, Options{}, func(s *Server) {
		guilds = s.OfRegexp(regexp.MustCompile(`^/\d$`))
		guilds.OnConnection(func(s *Socket) { sockets <- s })
	})
	for _, nsp := range []string{"/1,", "/2,", "/2,"} {
		enter(t, address, nsp)
		await(t, sockets)
	}
	told := make(chan tally, 3)
	packet, _ := NewPacket("x")
	if err := guilds.To().Deliver(func(sockets, bytes int) { told <- tally{sockets, bytes} }, packet); err != nil {
		t.Fatal(err)
	}
	if a, b := await(t, told), await(t, told); a.sockets+b.sockets != 3 || len(told) != 0 {
		t.Errorf("%+v and %+v", a, b)
	}
}
