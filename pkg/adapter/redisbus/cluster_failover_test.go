package redisbus

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/pona-realtime/pona/pkg/adapter"
	"github.com/pona-realtime/pona/pkg/adapter/adaptertest"
	"github.com/pona-realtime/pona/pkg/adapter/redistest"
)

// TestRedisClusterFailover takes masters of a Redis Cluster away with what is subscribed to there: requests fail clearly until
// another is elected, and work soon after, without anybody's doing; connections with other masters are kept.
func TestRedisClusterFailover(t *testing.T) {
	t.Parallel()
	timeout := []string{"--cluster-node-timeout", "1000"} // ms until an election
	masters := redistest.StartCluster(t, redistest.Login{}, timeout...)
	replicas := [...]*redistest.Server{redistest.AddReplica(t, masters, masters[0], timeout...), redistest.AddReplica(t, masters, masters[1], timeout...)}
	t.Run("steps down", func(t *testing.T) { stepsDown(t, masters[0], replicas[0], masters[2]) })
	masters[0], replicas[0] = replicas[0], masters[0]
	for i, test := range []struct {
		name string
		end  func(*redistest.Server)
	}{{"killed", (*redistest.Server).Kill}, {"hangs", (*redistest.Server).Pause}} {
		t.Run(test.name, func(t *testing.T) {
			pairs := map[Mode]*pair{}
			for _, mode := range []Mode{Classic, Sharded} {
				pairs[mode] = newPair(t, mode, masters[i], masters[2])
			}
			elsewhere := pairs[Sharded].namespaceAt(t, masters[2])
			test.end(masters[i])
			if test.name == "hangs" {
				pairs[Sharded].publishesBeside(t, elsewhere)
			}
			fails(t, pairs)
			replicas[i].AwaitMaster(t)
			for mode, p := range pairs {
				began := time.Now()
				waitFor(t, func() bool { return asksTheOther(t, p.on[0]) && asksTheOther(t, p.on[1]) })
				if took := time.Since(began); took > 5*time.Second {
					t.Errorf("%s: works again %s after the failover", mode, took)
				}
				p.check(t, mode)
			}
			if test.name == "hangs" {
				masters[i].Resume()
				masters[i].AwaitReplica(t)
				for _, p := range pairs {
					waitFor(t, func() bool { return asksTheOther(t, p.on[0]) && asksTheOther(t, p.on[1]) })
				}
			}
		})
	}
}

// stepsDown lets a replica take its master's place as an operator would: who listens there moves to a master, where npm's adapter
// counts it.
func stepsDown(t *testing.T, master, heir, another *redistest.Server) {
	pairs := map[Mode]*pair{}
	for _, mode := range []Mode{Classic, Sharded} {
		pairs[mode] = newPair(t, mode, master, another)
	}
	of, at := redis.NewClusterClient(&redis.ClusterOptions{Addrs: []string{master.Addr()}}), redis.NewClient(&redis.Options{Addr: heir.Addr()})
	defer of.Close()
	defer at.Close()
	n, node := keyAt(t, of, master, "%d")
	if err := node.Set(t.Context(), fmt.Sprint(n), "", 0).Err(); err != nil { // of a master without data nobody is told which replicas it has
		t.Fatal(err)
	}
	if err := at.ClusterFailover(t.Context()).Err(); err != nil {
		t.Fatal(err)
	}
	heir.AwaitMaster(t)
	master.AwaitReplica(t)
	for mode, p := range pairs {
		began := time.Now()
		waitFor(t, func() bool { return asksTheOther(t, p.on[0]) && asksTheOther(t, p.on[1]) })
		if took := time.Since(began); took > 5*time.Second {
			t.Errorf("%s: works again after %s", mode, took)
		}
		if mode != Classic {
			continue
		}
		waitFor(t, func() bool {
			return p.buses[0].Stats().Lost == 1 && asksTheOther(t, p.on[0]) && asksTheOther(t, p.on[1])
		})
		if s := p.buses[1].Stats(); s.Lost != 0 {
			t.Errorf("was at another master: %+v", s)
		}
		listeners := int64(0)
		_ = of.ForEachMaster(t.Context(), func(_ context.Context, master *redis.Client) error {
			const channel = "socket.io-request#/#"
			atomic.AddInt64(&listeners, master.PubSubNumSub(t.Context(), channel).Val()[channel])
			return nil
		})
		if listeners != 2 {
			t.Errorf("masters count %d", listeners)
		}
	}
	for _, s := range []*redistest.Server{master, another} { // whose word clients of what follows take for it
		node := redis.NewClient(&redis.Options{Addr: s.Addr()})
		defer node.Close()
		waitFor(t, func() bool {
			shards, err := node.ClusterShards(t.Context()).Result()
			return err == nil && slices.ContainsFunc(shards, func(s redis.ClusterShard) bool {
				return len(s.Slots) > 0 && slices.ContainsFunc(s.Nodes, func(n redis.Node) bool { return n.Port == int64(heir.Port) && n.Role == "master" })
			})
		})
	}
}

// pair is two nodes that share a namespace. Its channels are at one master of a Redis Cluster, but for those of the second node
// on the classic wire.
type pair struct {
	buses [2]*Bus
	logs  [2]lineLog
	on    [2]*adapter.Cluster
	node  *adapter.Node // the first
}

func newPair(t *testing.T, mode Mode, master, another *redistest.Server) *pair {
	t.Helper()
	p := &pair{}
	for i := range p.on {
		client := redis.NewClusterClient(&redis.ClusterOptions{Addrs: []string{another.Addr()}, MaxRetries: -1, DialerRetries: 1, ContextTimeoutEnabled: true})
		p.buses[i] = over(t, client, Options{Mode: mode, Log: p.logs[i].logger()})
		namespace := "/"
		switch {
		case mode != Classic:
			n, _ := keyAt(t, client, master, "socket.io#/%d#")
			namespace = fmt.Sprint("/", n)
		case i == 0:
			_, home := keyAt(t, client, master, "%d")
			p.buses[i].master.Store(home) // instead of one by chance
		default:
			_, home := keyAt(t, client, another, "%d")
			p.buses[i].master.Store(home)
		}
		node := adapter.NewNode(p.buses[i], adapter.Options{RequestTimeout: 2 * time.Second}) // which a request takes that is on its way by a master as it dies
		t.Cleanup(node.Close)
		p.on[i] = node.Join(namespace, adaptertest.NewLocal())
		if i == 0 {
			p.node = node
		}
	}
	waitFor(t, func() bool { return asksTheOther(t, p.on[0]) && asksTheOther(t, p.on[1]) })
	return p
}

// namespaceAt is another namespace of the first node, with its place at a master.
func (p *pair) namespaceAt(t *testing.T, master *redistest.Server) *adapter.Cluster {
	t.Helper()
	n, _ := keyAt(t, p.buses[0].cluster, master, "socket.io#/elsewhere/%d#")
	c := p.node.Join(fmt.Sprint("/elsewhere/", n), adaptertest.NewLocal())
	if err := p.buses[0].Synced(t.Context()); err != nil {
		t.Fatal(err)
	}
	return c
}

// publishesBeside tells others something by way of a master that hangs, and by another one's: that is not held up.
func (p *pair) publishesBeside(t *testing.T, elsewhere *adapter.Cluster) {
	t.Helper()
	began := time.Now()
	if err := p.on[0].Broadcast(adapter.Target{}, adapter.Flags{}, adapter.Value{JSON: []byte(`["held up"]`)}); err != nil {
		t.Error(err)
	}
	if err := elsewhere.Tell(t.Context(), &adapter.Message{Kind: adapter.Broadcast, Value: adapter.Value{JSON: []byte(`["e"]`)}}); err != nil {
		t.Errorf("by way of another master: %v", err)
	}
	if took := time.Since(began); took > publishTimeout/2 {
		t.Errorf("another master's took %s", took)
	}
}

// keyAt finds the number that makes a key with its place at a master, and the master.
func keyAt(t *testing.T, client *redis.ClusterClient, master *redistest.Server, form string) (n int, at *redis.Client) {
	t.Helper()
	for ; ; n++ {
		at, err := client.MasterForKey(t.Context(), fmt.Sprintf(form, n))
		if err != nil {
			t.Fatal(err)
		}
		if at.Options().Addr == master.Addr() {
			return n, at
		}
	}
}

// fails asks while the master is away, all at once: it is not away for long.
func fails(t *testing.T, pairs map[Mode]*pair) {
	t.Helper()
	began := time.Now()
	var asking sync.WaitGroup
	defer asking.Wait()
	for mode, p := range pairs {
		for _, c := range p.on {
			asking.Go(func() {
				if _, err := c.FetchSockets(t.Context(), adapter.Target{}); !errors.Is(err, adapter.ErrUnreachable) {
					t.Errorf("%s: a request: %v", mode, err)
				}
				if took := time.Since(began); took > 4*time.Second {
					t.Errorf("%s: a request took %s to fail", mode, took)
				}
			})
		}
	}
}

// check looks for what is left of an outage.
func (p *pair) check(t *testing.T, mode Mode) {
	t.Helper()
	for i, b := range p.buses {
		if err := b.Synced(t.Context()); err != nil {
			t.Error(err)
		}
		s := b.Stats()
		if mode == Classic && i == 1 { // was nowhere else
			if s.Lost != 0 {
				t.Errorf("lost connections with another master: %+v", s)
			}
			p.logs[i].want(t)
			continue
		}
		if s.Lost != 1 || s.Resubscribed == 0 || !s.Reachable {
			t.Errorf("%s: %+v", mode, s)
		}
		p.logs[i].want(t, "no subscriptions at Redis, rooms end at this server, trying again", "connected to Redis, subscribing to rooms again")
	}
}
