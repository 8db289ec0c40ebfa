package cluster

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/pona-realtime/pona/pkg/adapter/redistest"
	"github.com/pona-realtime/pona/pkg/freeport"
	roomsv1 "github.com/pona-realtime/pona/proto/pona/rooms/v1"
	edge "github.com/pona-realtime/pona/services/edge/app"
	"github.com/pona-realtime/pona/services/edge/edgetest"
	fanout "github.com/pona-realtime/pona/services/fanout/app"
	"github.com/pona-realtime/pona/services/fanout/fanouttest"
)

// guest is the official client in the guild, in a process of its own; it comes back by itself.
type guest struct {
	name   string
	events chan string
}

// invite lets a guest in through the door, as a user.
func invite(t *testing.T, d *door, user int, transports string) *guest {
	t.Helper()
	cmd := exec.Command("node", "listener.js")
	cmd.Dir = "node"
	cmd.Env = append(os.Environ(), "SERVER=http://"+d.address, "NAMESPACE="+namespace, fmt.Sprint("KEY=user", user), "TRANSPORTS="+transports)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err == nil {
		_, err = cmd.StdinPipe() // open until the test ends
	}
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	g := &guest{transports, make(chan string, 64)}
	go func() {
		defer close(g.events)
		for lines := bufio.NewScanner(out); lines.Scan(); {
			g.events <- lines.Text()
		}
	}()
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		for range g.events { // until its output ends
		}
		_ = cmd.Wait() // was killed
	})
	return g
}

// expect waits for one event, and nothing before it.
func (g *guest) expect(t *testing.T, what, prefix string) {
	t.Helper()
	select {
	case e := <-g.events:
		if !strings.HasPrefix(e, prefix) {
			t.Fatalf("%s, %s: got %.100s, want %s", what, g.name, e, prefix)
		}
	case <-time.After(patience):
		t.Fatalf("%s, %s: %s does not come", what, g.name, prefix)
	}
}

// TestClientsMove goes the whole way of docs/migration.md with official clients behind a balancer: all on Node, all on edges, and
// back. They are let in again at once wherever they are sent, and have every event once that is emitted while they are there.
func TestClientsMove(t *testing.T) {
	t.Parallel()
	for _, mode := range []string{"classic", "sharded"} {
		t.Run(mode, func(t *testing.T) {
			t.Parallel()
			clientsMove(t, mode)
		})
	}
}

func clientsMove(t *testing.T, mode string) {
	redisURL, nats, discord := "redis://"+redistest.Start(t).Addr(), fanouttest.StartNATS(t).URL(), edgetest.StartDiscord(t)
	old := startNode(t, redisURL, mode, 5*time.Second)
	balancer := openDoor(t, old.address)
	guests := []*guest{invite(t, balancer, 1, "polling,websocket"), invite(t, balancer, 2, "polling"), invite(t, balancer, 3, "websocket")}
	everybody := func(what, prefix string) {
		t.Helper()
		for _, g := range guests {
			g.expect(t, what, prefix)
		}
	}
	events := 0
	inTheOldWay := func(node *nodeServer, what string) {
		t.Helper()
		events++
		var by server = node
		if mode == "classic" { // what the emitter speaks
			by = emitter{node}
		}
		by.do(t, command{Op: "emit", NSP: namespace, Rooms: []string{"pona! music"}, Args: []any{"volume_updated", events}})
		everybody(what, fmt.Sprintf(`["volume_updated",%d`, events))
	}
	everybody("on Node", `["handshake",`)
	inTheOldWay(old, "all Node")

	mirror := func(f *fanout.Settings) { f.Redis, f.Adapter, f.Mirror = redisURL, mode, true }
	at, err := freeport.Take()
	if err != nil {
		t.Fatal(err)
	}
	_, stopFanout := startFanout(t, nats, at, mirror)
	edgeAt, stopEdge := startEdge(t, at, discord, func(e *edge.Settings) { e.Redis, e.Adapter = redisURL, mode })
	rooms := roomsv1.NewRoomsServiceClient(fanouttest.Dial(t, at))
	counted(t, rooms, 3, 1)
	inTheOldWay(old, "edges beside")

	published := func(what string) {
		t.Helper()
		events++
		e := fanouttest.Volume(guild, events)
		e.EventId = fmt.Sprint("event-", events)
		fanouttest.NewBot(t, at).Publish(e)
		everybody(what, fmt.Sprintf(`["volume_updated",%d`, events))
	}
	published("the bot has moved")
	balancer.lead(edgeAt)
	old.do(t, command{Op: "drain"})
	everybody("on edges", `["handshake",`)
	published("clients have moved")
	if err := old.cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	counted(t, rooms, 3, 1)
	restart := func(change func(*fanout.Settings)) {
		t.Helper()
		stopFanout()
		_, stopFanout = startFanout(t, nats, at, change)
	}
	restart(func(f *fanout.Settings) { f.Redis, f.Adapter = redisURL, mode })
	published("all Go")

	restart(mirror)
	young := startNode(t, redisURL, mode, 5*time.Second)
	balancer.lead(young.address)
	stopEdge()
	everybody("back on Node", `["handshake",`)
	published("the bot has not moved back")
	inTheOldWay(young, "all Node again")
}
