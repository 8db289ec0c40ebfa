package e2e

import (
	"fmt"
	"regexp"
	"strings"
	"testing"
	"time"

	playerv1 "github.com/pona-realtime/pona/proto/pona/player/v1"
	"github.com/pona-realtime/pona/services/devstack/redisserver"
)

// grace is how long a service may take to stop, as its setting says, and something for the machine.
const grace = 10*time.Second + 5*time.Second

var (
	edgeLine   = regexp.MustCompile(`edge started.* listen=(\S+)`)
	fanoutLine = regexp.MustCompile(`grpc=(\S+)`)
)

// The services as operators run them, each a process: with a client connected and a bot publishing,
// SIGTERM ends each in time and with code 0.
func TestServicesStopOnSIGTERM(t *testing.T) {
	nats := startNATS(t)
	redis, err := redisserver.Start(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(redis.Stop)

	fanout := start(t, "fanout", program(t, "fanout"), "--grpc", "127.0.0.1:0", "--admin", "127.0.0.1:0", "--nats-url", nats.URL())
	line, _ := fanout.await(t, 0, "where it listens", fanoutLine.MatchString)
	grpc := fanoutLine.FindStringSubmatch(line)[1]
	edge := start(t, "edge", program(t, "edge"), "--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0",
		"--auth", "insecure-dev", "--fanout", grpc, "--redis-url", "redis://"+redis.Addr)
	line, _ = edge.await(t, 0, "where it listens", edgeLine.MatchString)
	url := "http://" + edgeLine.FindStringSubmatch(line)[1]

	guild := newGuild()
	websocket, polling := listen(t, url, guild, "user:1", []string{"websocket"}), listen(t, url, guild, "user:2", []string{"polling"})
	websocket.payload(t, "handshake")
	polling.payload(t, "handshake")
	newBot(t, grpc, guild).publish(t, &playerv1.Event{Kind: &playerv1.Event_PauseUpdated{PauseUpdated: &playerv1.PauseUpdated{Paused: true}}})
	websocket.event(t, "pause_updated")
	polling.event(t, "pause_updated")

	stops(t, edge)
	for _, l := range []*listener{websocket, polling} {
		l.next(t, "that it was disconnected", func(s said) bool { return s.What == "disconnect" })
	}
	stops(t, fanout)
}

// The dev stack stops with listeners connected through its proxy and music playing, and takes its
// Redis along.
func TestDevstackStopsOnSIGTERM(t *testing.T) {
	s := startStack(t, "--fanouts", "2", "--edges", "2")
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("devstack said:\n%s", s.said())
		}
		s.kill()
	})
	for _, transports := range [][]string{{"websocket"}, {"polling"}} {
		l := listen(t, s.url, 100000000000000001, "user:1", transports)
		l.payload(t, "handshake")
		l.next(t, "that music plays", func(s said) bool { return s.What == "event" && s.Name == "track_pos_updated" })
	}
	line, _ := s.await(t, 0, "where Redis is", func(line string) bool { return strings.Contains(line, "Redis runs") })
	addr := regexp.MustCompile(`addr=(\S+)`).FindStringSubmatch(line)[1]
	stops(t, s.process)
	if dials(addr) {
		t.Errorf("Redis at %s outlives the stack", addr)
	}
}

func TestPortInUseIsOneClearLine(t *testing.T) {
	s := devstack(t)
	address := strings.TrimPrefix(s.url, "http://")
	p := start(t, "second devstack", program(t, "devstack"), "--listen", address)
	select {
	case <-p.ended:
	case <-time.After(patience):
		t.Fatal("a second stack on the same address goes on")
	}
	want := fmt.Sprintf("devstack: --listen: listen tcp %s: bind: address already in use", address)
	if got := p.said(); got != want {
		t.Errorf("said %q, want %q", got, want)
	}
	if code := p.cmd.ProcessState.ExitCode(); code != 1 {
		t.Errorf("ended with %d, want 1", code)
	}
}

// stops sends SIGTERM and expects code 0 in time.
func stops(t *testing.T, p *process) {
	t.Helper()
	code, took := p.terminate(t)
	if code != 0 || took > grace {
		t.Errorf("%s ended with %d after %v, want 0 within %v", p.name, code, took, grace)
	}
}
