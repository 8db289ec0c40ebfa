package cluster

import (
	"fmt"
	"net"
	"os"
	"reflect"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/pona-realtime/pona/pkg/adapter/redistest"
)

// staleAfter is longer than a subscription of ours outlives the silence of Redis (pkg/adapter/redisbus, lifetime).
const staleAfter = 5 * time.Second

// TestAStoppedServer stops servers as hanging machines would, one of Node's and one of ours of three and two: requests end
// at their timeout with what the others said, and when it wakes up all is well. Ours finds its connections to Redis
// older than it trusts them, and later finds them gone.
func TestAStoppedServer(t *testing.T) {
	for _, mode := range []string{"classic", "sharded"} {
		t.Run(mode, func(t *testing.T) {
			t.Parallel()
			s := setStage(t, mode, false)
			toRedis := openDoor(t, s.redis.(*redis.Client).Options().Addr)
			_, port, err := net.SplitHostPort(toRedis.address)
			if err != nil {
				t.Fatal(err)
			}
			process := startProcess(t, port, mode)
			s.servers["process"], s.clients["process"] = process, process.client
			everybody := append(slices.Clone(names), "process")
			s.whole(t, everybody)

			t.Run("node2", func(t *testing.T) {
				node := s.servers["node2"].(*nodeServer)
				redistest.Stop(t, node.cmd.Process)
				s.lacking(t, "node2", everybody)
				a := s.servers["go1"].do(t, command{Op: "fetchSockets"})
				if list, _ := a.Result.([]any); len(list) != 4 || !isTimeout(a) {
					t.Errorf("sockets %v, %s", a.Result, a.Error)
				}
				wake(t, node.cmd.Process)
				s.whole(t, everybody)
			})
			t.Run("process", func(t *testing.T) {
				redistest.Stop(t, process.cmd.Process)
				began := time.Now()
				s.lacking(t, "process", everybody)
				for time.Since(began) < staleAfter {
					s.unanswered(t, "process", everybody)
				}
				wake(t, process.cmd.Process)
				s.whole(t, everybody)
			})
			t.Run("process, cut off", func(t *testing.T) {
				redistest.Stop(t, process.cmd.Process)
				toRedis.cut() // Redis counts it no more
				for _, name := range []string{"go1", "node1"} {
					eventually(t, func() error {
						if a := s.servers[name].do(t, command{Op: "serverCount"}); a.Result != 4.0 {
							return fmt.Errorf("%s counts %v", name, a)
						}
						return nil
					})
					a := s.servers[name].do(t, command{Op: "emitWithAck", Flags: flags{Timeout: 5000}, Args: []any{"q"}})
					if got := sorted(a.Result); a.Error != "" || !reflect.DeepEqual(got, but(everybody, "process")) {
						t.Errorf("%s: answers %v, %s", name, got, a.Error)
					}
				}
				wake(t, process.cmd.Process)
				s.whole(t, everybody)
			})
		})
	}
}

func wake(t *testing.T, p *os.Process) {
	t.Helper()
	if err := p.Signal(syscall.SIGCONT); err != nil {
		t.Fatal(err)
	}
}

// but is a list without one of its elements, as JSON decodes it.
func but(list []string, one string) any {
	others := []any{}
	for _, x := range list {
		if x != one {
			others = append(others, x)
		}
	}
	return sorted(others)
}

// whole waits until requests of servers of each kind are answered by all, and sees that what each server emits then reaches
// every client once.
func (s *stage) whole(t *testing.T, all []string) {
	t.Helper()
	origins := []string{"go1", "node1", "node2", "process"}
	for _, name := range origins {
		eventually(t, func() error {
			for _, c := range []command{
				{Op: "fetchSockets"}, {Op: "serverSideEmitWithAck", Args: []any{"sse"}}, {Op: "emitWithAck", Flags: flags{Timeout: 3000}, Args: []any{"q"}},
			} {
				want := len(all)
				if c.Op == "serverSideEmitWithAck" {
					want--
				}
				a := s.servers[name].do(t, c)
				if list, _ := a.Result.([]any); a.Error != "" || len(list) != want {
					return fmt.Errorf("%s, %s: %v, %s", name, c.Op, a.Result, a.Error)
				}
			}
			return nil
		})
	}
	for _, name := range origins {
		for _, when := range []string{"then", "at last"} {
			if a := s.servers[name].do(t, command{Op: "emit", Args: []any{"whole", name, when}}); a.Error != "" {
				t.Error(a.Error)
			}
		}
		text := func(when string) string { return fmt.Sprintf(`/ ["whole","%s","%s"]`, name, when) }
		for _, c := range all {
			if before := s.clients[c].until(t, text("at last")); !slices.Equal(before, []string{text("then")}) {
				t.Errorf("from %s, %s was sent %q", name, c, before)
			}
		}
	}
}

// lacking sees that requests of ours and of Node's end at their timeouts with what all but one server say.
func (s *stage) lacking(t *testing.T, stopped string, all []string) {
	t.Helper()
	began := time.Now()
	a := s.servers["go1"].do(t, command{Op: "serverSideEmitWithAck", Args: []any{"sse"}})
	took := time.Since(began)
	if list, _ := a.Result.([]any); len(list) != 3 || !strings.Contains(a.Error, "3 of 4 other nodes answered") || took < 2*time.Second || took > 6*time.Second {
		t.Errorf("after %s: %v, %s", took, a.Result, a.Error)
	}
	began = time.Now()
	s.unanswered(t, stopped, all)
	if took := time.Since(began); took < time.Second || took > 3*time.Second {
		t.Errorf("two broadcasts with half a second for acknowledgements took %s", took)
	}
}

// unanswered asks the clients of all servers, of which one does not hand it on.
func (s *stage) unanswered(t *testing.T, stopped string, all []string) {
	t.Helper()
	for _, name := range []string{"go1", "node1"} {
		a := s.servers[name].do(t, command{Op: "emitWithAck", Flags: flags{Timeout: 500}, Args: []any{"q"}})
		if got := sorted(a.Result); !strings.Contains(a.Error, "operation has timed out") || !reflect.DeepEqual(got, but(all, stopped)) {
			t.Errorf("%s: answers %v, %s", name, got, a.Error)
		}
	}
}
