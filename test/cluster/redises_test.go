package cluster

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/redis/go-redis/v9"

	"github.com/pona-realtime/pona/pkg/adapter/redistest"
)

// TestRedisCluster has servers of ours and of Node's, by npm redis' cluster client, on one Redis Cluster: whoever asks counts
// four, over all masters, and hears from all.
func TestRedisCluster(t *testing.T) {
	for _, mode := range []string{"classic", "sharded"} {
		t.Run(mode, func(t *testing.T) {
			t.Parallel()
			var addresses, urls []string
			for _, node := range redistest.StartCluster(t, redistest.Login{}) {
				addresses, urls = append(addresses, node.Addr()), append(urls, "redis://"+node.Addr())
			}
			over := redis.NewClusterClient(&redis.ClusterOptions{Addrs: addresses, MaxRedirects: 3, ContextTimeoutEnabled: true})
			setStageOn(t, mode, false, over, strings.Join(urls, ",")).together(t, 10)
		})
	}
}

// TestSentinel has them behind a Sentinel, Node's by npm redis' client for it. Its master dies: all find the one that follows.
func TestSentinel(t *testing.T) {
	t.Parallel()
	redises := redistest.StartFailover(t, redistest.Login{})
	over := redis.NewFailoverClient(&redis.FailoverOptions{MasterName: redises.Name, SentinelAddrs: []string{redises.Sentinel.Addr()},
		MaxRetries: -1, DialerRetries: 1, ContextTimeoutEnabled: true})
	s := setStageOn(t, "classic", false, over, "redis://"+redises.Sentinel.Addr(), "MASTER="+redises.Name)
	s.together(t, 3)
	redises.Master.Kill()
	redises.AwaitFailover(t)
	s.settle(t)
	s.together(t, 3)
}

// together asks and emits on every server, again and again, and expects everything of every server.
func (s *stage) together(t *testing.T, times int) {
	t.Helper()
	ids := []any{}
	for _, c := range s.clients {
		ids = append(ids, c.id)
	}
	for i := range times {
		for _, name := range names {
			for _, nsp := range []string{"/", "/custom"} {
				if a := s.servers[name].do(t, command{Op: "serverCount", NSP: nsp}); a.Result != 4.0 || a.Error != "" {
					t.Errorf("%s counts %v, %s", name, a.Result, a.Error)
				}
			}
			a := s.servers[name].do(t, command{Op: "fetchSockets", Rooms: []string{"everybody"}})
			got := []any{}
			list, _ := a.Result.([]any)
			for _, socket := range list {
				got = append(got, socket.(map[string]any)["id"])
			}
			if a.Error != "" || !reflect.DeepEqual(sorted(got), sorted(ids)) {
				t.Errorf("%s sees %v, %s", name, got, a.Error)
			}
			a = s.servers[name].do(t, command{Op: "emitWithAck", Flags: flags{Timeout: 5000}, Args: []any{"q", i}})
			if want := but(names, ""); a.Error != "" || !reflect.DeepEqual(sorted(a.Result), want) {
				t.Errorf("%s: answers %v, %s, want %v", name, a.Result, a.Error, want)
			}
			a = s.servers[name].do(t, command{Op: "emitWithAck", NSP: "/custom", Flags: flags{Timeout: 5000}, Args: []any{"bytes", i}})
			if want := []any{binary(1, 2, 3), binary(1, 2, 3), binary(1, 2, 3), binary(1, 2, 3)}; a.Error != "" || !reflect.DeepEqual(a.Result, want) {
				t.Errorf("%s: bytes %v, %s", name, a.Result, a.Error)
			}
			a = s.servers[name].do(t, command{Op: "serverSideEmitWithAck", Args: []any{"sse"}})
			var want []any
			for _, other := range slices.DeleteFunc(slices.Clone(names), func(n string) bool { return n == name }) {
				want = append(want, s.kind(other))
			}
			if a.Error != "" || !reflect.DeepEqual(sorted(a.Result), sorted(want)) {
				t.Errorf("%s: servers answer %v, %s, want %v", name, a.Result, a.Error, want)
			}
			for _, rooms := range [][]string{nil, {"everybody"}} { // one after the other: Node's masters have no order
				s.servers[name].do(t, command{Op: "emit", Rooms: rooms, Args: []any{"ev", name, i, rooms}})
				text := fmt.Sprintf(`/ ["ev","%s",%d,null]`, name, i)
				if rooms != nil {
					text = strings.Replace(text, "null", `["everybody"]`, 1)
				}
				for _, c := range names {
					if before := s.clients[c].until(t, text); len(before) > 0 {
						t.Errorf("%s was sent %q", c, before)
					}
				}
			}
		}
		if t.Failed() {
			t.Fatalf("in round %d", i)
		}
	}
}
