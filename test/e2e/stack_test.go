package e2e

import (
	"fmt"
	"os"
	"regexp"
	"sync/atomic"
	"testing"

	"go.uber.org/goleak"
)

// shared is the dev stack that most tests use, each with a guild of its own.
var shared *stack

func TestMain(m *testing.M) { os.Exit(runAll(m)) }

func runAll(m *testing.M) int {
	code := m.Run()
	if shared != nil {
		shared.kill()
	}
	if err := goleak.Find(); err != nil && code == 0 {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	return code
}

// stack is a running bin/devstack.
type stack struct {
	*process
	url  string // for clients
	grpc string // for bots, host:port
}

var (
	playerLine = regexp.MustCompile(`the player is at (http://[^/"]+)/`)
	grpcLine   = regexp.MustCompile(`fanout runs.* grpc=(\S+)`)
)

// devstack is the shared stack, started by the first test that asks.
func devstack(t *testing.T) *stack {
	t.Helper()
	if shared == nil {
		shared = startStack(t)
	}
	s := shared
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("devstack said:\n%s", s.said())
		}
	})
	return s
}

// startStack starts a stack that the caller has to end.
func startStack(t *testing.T, args ...string) *stack {
	t.Helper()
	p, err := launch("devstack", program(t, "devstack"), append([]string{"--listen", "127.0.0.1:0", "--grpc", "127.0.0.1:0"}, args...)...)
	if err != nil {
		t.Fatal(err)
	}
	s := &stack{process: p}
	defer func() {
		if t.Failed() {
			t.Logf("devstack said:\n%s", p.said())
			p.kill()
		}
	}()
	line, _ := p.await(t, 0, "where bots connect", grpcLine.MatchString)
	s.grpc = grpcLine.FindStringSubmatch(line)[1]
	line, _ = p.await(t, 0, "where the player is", playerLine.MatchString)
	s.url = playerLine.FindStringSubmatch(line)[1]
	return s
}

var lastGuild atomic.Uint64

// newGuild is the id of a guild that no other test uses.
func newGuild() uint64 { return 500000000000000000 + lastGuild.Add(1) }
