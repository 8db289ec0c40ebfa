package app

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/pona-realtime/pona/services/edge/edgetest"
)

// twoEdges are edges of one cluster, and its fanout.
func twoEdges(t *testing.T) (a, b *App, f *edgetest.Fanout, p *edgetest.Player) {
	t.Helper()
	s := local(t)
	f, p = withFanout(t, &s)
	return started(t, s), started(t, s), f, p
}

// listen joins guild 100 as user 1, past its handshake.
func listen(t *testing.T, a *App) (c *edgetest.Client, socketID string) {
	t.Helper()
	c = edgetest.DialWebSocket(t, a.Addr())
	c.Connect(guild100, as(1))
	socketID = c.Joined(guild100)
	c.Handshake(guild100)
	return c, socketID
}

func wantVolumes(t *testing.T, c *edgetest.Client, from, to int) {
	t.Helper()
	for n := from; n <= to; n++ {
		c.Want(edgetest.Event, guild100, fmt.Sprintf(`["volume_updated",%d]`, n))
	}
}

func publishVolumes(p *edgetest.Player, from, to int) {
	for n := from; n <= to; n++ {
		p.Publish(100, edgetest.Volume(fmt.Sprint(n)))
	}
}

func TestAClientComesBack(t *testing.T) {
	for name, elsewhere := range map[string]bool{"on another edge": true, "on the same edge": false} {
		t.Run(name, func(t *testing.T) {
			a, b, f, p := twoEdges(t)
			publishVolumes(p, 1, 3)
			lost, id := listen(t, a)
			witness, _ := listen(t, a)
			publishVolumes(p, 4, 9)
			wantVolumes(t, lost, 4, 6)
			p.Publish(100, edgetest.Generic("stream:1", "mine", `["x"]`))
			p.Publish(100, edgetest.Generic("stream:2", "another's", `["x"]`))
			p.Publish(100, edgetest.Position("12.50"))
			wantVolumes(t, witness, 4, 9)
			witness.Want(edgetest.Event, guild100, `["mine","x"]`)
			witness.Want(edgetest.Event, guild100, `["track_pos_updated",12.50]`)
			edge, reads := a, 0
			if elsewhere {
				edge, reads = b, 1
			}
			back := edgetest.DialWebSocket(t, edge.Addr())
			back.ConnectAgain(lost, guild100, as(1))
			wantVolumes(t, back, 7, 9)
			back.Want(edgetest.Event, guild100, `["mine","x"]`)
			back.Want(edgetest.Event, guild100, `["track_pos_updated",12.50]`)
			if again := back.Joined(guild100); again != id || !back.Recovered() {
				t.Errorf("came back as %s, was %s, recovered %v", again, id, back.Recovered())
			}
			p.Publish(100, edgetest.Generic("stream:1", "live", `[]`))
			back.Want(edgetest.Event, guild100, `["live"]`)
			if n := f.Replays(); n != reads {
				t.Errorf("%d histories were read, want %d", n, reads)
			}
		})
	}
}

func TestAClientThatHasSeenNoEventComesBack(t *testing.T) {
	a, b, f, p := twoEdges(t)
	publishVolumes(p, 1, 1)
	idle, id := listen(t, a)
	back := edgetest.DialWebSocket(t, b.Addr())
	back.ConnectAgain(idle, guild100, as(1))
	if again := back.Joined(guild100); again != id || !back.Recovered() || f.Replays() != 0 {
		t.Errorf("came back as %s, was %s, recovered %v, %d histories read", again, id, back.Recovered(), f.Replays())
	}
	publishVolumes(p, 2, 2)
	wantVolumes(t, back, 2, 2)
}

func TestAClientIsToldWhatItCannotGetBack(t *testing.T) {
	a, b, _, p := twoEdges(t)
	publishVolumes(p, 1, 1)
	lost, id := listen(t, a)
	wantAnew := func(name string, edge *App, payload string) {
		t.Helper()
		c := edgetest.DialWebSocket(t, edge.Addr())
		c.ConnectAgain(lost, guild100, payload)
		if again := c.Joined(guild100); again == id || c.Recovered() {
			t.Errorf("%s: came back as %s, recovered %v", name, again, c.Recovered())
		}
		c.Handshake(guild100)
	}
	wantAnew("another user", b, as(2))

	s := local(t)
	s.Fanouts = b.settings.Fanouts
	s.ClusterKeys = []string{strings.Repeat("z", 32)}
	wantAnew("another cluster", started(t, s), as(1))

	s = local(t)
	s.Fanouts, s.Recovery = b.settings.Fanouts, 0
	wantAnew("an edge that recovers nobody", started(t, s), as(1))

	publishVolumes(p, 2, 3)
	p.Forget(100)
	s = local(t)
	s.Fanouts = b.settings.Fanouts
	wantAnew("history gone", started(t, s), as(1))
}

func TestAClusterKeyIsChanged(t *testing.T) {
	s := local(t)
	_, p := withFanout(t, &s)
	publishVolumes(p, 1, 1)
	lost, id := listen(t, started(t, s))
	s.ClusterKeys = append([]string{strings.Repeat("n", 32)}, s.ClusterKeys...)
	back := edgetest.DialWebSocket(t, started(t, s).Addr())
	back.ConnectAgain(lost, guild100, as(1))
	if again := back.Joined(guild100); again != id || !back.Recovered() {
		t.Errorf("came back as %s, was %s, recovered %v", again, id, back.Recovered())
	}
}

func TestAStormReadsEachHistoryOnce(t *testing.T) {
	const clients = 100
	a, b, f, p := twoEdges(t)
	publishVolumes(p, 1, 1)
	lost := make([]*edgetest.Client, clients)
	for i := range lost {
		lost[i], _ = listen(t, a)
	}
	publishVolumes(p, 2, 2)
	for i, c := range lost {
		if i > 0 {
			wantVolumes(t, c, 2, 2) // the first one was slower
		}
	}
	publishVolumes(p, 3, 20)
	var storm sync.WaitGroup
	for i := range lost {
		back := edgetest.DialWebSocket(t, b.Addr())
		if i == 0 {
			back.ConnectAgain(lost[i], guild100, as(1))
			wantVolumes(t, back, 2, 20)
			back.Joined(guild100)
			continue
		}
		storm.Go(func() {
			back.ConnectAgain(lost[i], guild100, as(1))
			wantVolumes(t, back, 3, 20)
			if back.Joined(guild100); !back.Recovered() {
				t.Error("not recovered")
			}
		})
	}
	storm.Wait()
	if n := f.Replays(); n != 1 {
		t.Errorf("%d histories were read", n)
	}
}

func TestTheWindowPasses(t *testing.T) {
	s := local(t)
	s.Recovery = 50 * time.Millisecond
	_, p := withFanout(t, &s)
	a := started(t, s)
	publishVolumes(p, 1, 1)
	lost, _ := listen(t, a)
	witness, _ := listen(t, a)
	publishVolumes(p, 2, 2)
	wantVolumes(t, witness, 2, 2)
	<-time.After(2 * s.Recovery) // the age of an event is what this is about
	back := edgetest.DialWebSocket(t, a.Addr())
	back.ConnectAgain(lost, guild100, as(1))
	if back.Joined(guild100); back.Recovered() {
		t.Error("recovered")
	}
	back.Handshake(guild100)
	back = edgetest.DialWebSocket(t, a.Addr())
	back.ConnectAgain(witness, guild100, as(1)) // has missed nothing
	if back.Joined(guild100); !back.Recovered() {
		t.Error("not recovered")
	}
}
