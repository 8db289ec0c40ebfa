package app_test

import (
	"bufio"
	"context"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/pona-realtime/pona/services/fanout/app"
	"github.com/pona-realtime/pona/services/fanout/fanouttest"
)

// fanout is one that runs in this process.
type fanout struct {
	*app.App
	cancel  context.CancelFunc
	stopped chan error // gets what Run returned
}

// started counts the fanouts of each NATS server. Their ids follow from it, so that which one should
// have which partition is the same in every run of a test.
var (
	startedMu sync.Mutex
	started   = make(map[string]int)
)

// start runs a fanout until the end of the test, with settings changed by change.
func start(t testing.TB, url string, change ...func(*app.Settings)) *fanout {
	t.Helper()
	s, err := testSettings(url)
	if err != nil {
		t.Fatal(err)
	}
	startedMu.Lock()
	started[url]++
	s.ID = fmt.Sprintf("fanout-%d", started[url])
	startedMu.Unlock()
	for _, c := range change {
		c(&s)
	}
	log := slog.New(slog.DiscardHandler)
	if testing.Verbose() {
		log = slog.New(slog.NewTextHandler(os.Stderr, nil))
	}
	a, err := app.New(s, log)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	f := &fanout{App: a, cancel: cancel, stopped: make(chan error, 1)}
	go func() { f.stopped <- a.Run(ctx) }()
	t.Cleanup(func() { f.stop(t) })
	return f
}

// startReady is start, and waiting until the fanout takes work.
func startReady(t testing.TB, url string, change ...func(*app.Settings)) *fanout {
	t.Helper()
	f := start(t, url, change...)
	await(t, f.Ready(), "the fanout")
	return f
}

// startPair runs two fanouts that know each other: both own partitions. Their leases are short, so that this is soon.
func startPair(t testing.TB, url string) (first, second *fanout) {
	t.Helper()
	short := func(s *app.Settings) { s.LeaseTTL = time.Second }
	first, second = startReady(t, url, short), startReady(t, url, short)
	follow(t, first.GRPCAddr(), second.GRPCAddr()).awaitOwners("both", func(o map[uint32]string) bool { return shares(o) == 2 })
	return first, second
}

// listen is an edge that has the guild's snapshot and gets what follows.
func listen(t testing.TB, f *fanout, id string) *fanouttest.Edge {
	t.Helper()
	edge := fanouttest.NewEdge(t, f.GRPCAddr(), id)
	edge.AwaitOwned(8)
	edge.Subscribe(guild)
	edge.AwaitSnapshot(guild)
	return edge
}

// stop ends the fanout gracefully and waits for that. A second call does nothing.
func (f *fanout) stop(t testing.TB) {
	t.Helper()
	f.cancel()
	select {
	case err := <-f.stopped:
		if err != nil {
			t.Errorf("Run returned %v", err)
		}
		f.stopped <- nil
	case <-time.After(2 * fanouttest.Patience):
		t.Fatal("the fanout does not stop")
	}
}

func await[T any](t testing.TB, done <-chan T, what string) T {
	t.Helper()
	select {
	case v := <-done:
		return v
	case <-time.After(fanouttest.Patience):
		t.Fatalf("waited too long for %s", what)
		panic("unreachable")
	}
}

// child is a fanout in a process of its own.
type child struct {
	t       testing.TB
	process *os.Process
	address string
	ended   chan error
}

// startChild runs a fanout that can be killed.
func startChild(t testing.TB, url string) *child {
	t.Helper()
	command := exec.Command(os.Args[0])
	command.Env = append(os.Environ(), childURL+"="+url)
	if testing.Verbose() {
		command.Stderr = os.Stderr
	}
	out, err := command.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	c := &child{t: t, process: command.Process, ended: make(chan error, 1)}
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatalf("the child said nothing: %v", err)
	}
	c.address = strings.TrimSpace(line)
	go func() { c.ended <- command.Wait() }()
	t.Cleanup(func() {
		_ = c.process.Kill() // ErrProcessDone is what it should be
		<-c.ended
	})
	return c
}

// signal sends a signal to the child.
func (c *child) signal(s syscall.Signal) {
	c.t.Helper()
	if err := c.process.Signal(s); err != nil {
		c.t.Fatal(err)
	}
}

// kill ends the child as kill -9 does, and waits until it is gone.
func (c *child) kill() {
	c.t.Helper()
	c.signal(syscall.SIGKILL)
	c.ended <- await(c.t, c.ended, "the child's end")
}
