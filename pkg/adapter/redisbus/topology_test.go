package redisbus

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/pona-realtime/pona/pkg/adapter"
	"github.com/pona-realtime/pona/pkg/adapter/adaptertest"
	"github.com/pona-realtime/pona/pkg/adapter/redistest"
)

// over makes a bus on a client, both of which end with the test.
func over(t *testing.T, client redis.UniversalClient, opts Options) *Bus {
	t.Helper()
	t.Cleanup(func() { _ = client.Close() })
	b, err := New(client, opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("%+v", b.Stats())
		}
		b.Close()
	})
	return b
}

// TestSentinelFailover takes the master behind a Sentinel away: requests work again on the one that follows it, also where
// the old one hangs and its connections stay open.
func TestSentinelFailover(t *testing.T) {
	t.Parallel()
	for name, end := range map[string]func(*redistest.Server){"killed": (*redistest.Server).Kill, "hangs": (*redistest.Server).Pause} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			redises := redistest.StartFailover(t, redistest.Login{})
			var clusters [2]*adapter.Cluster
			for i := range clusters {
				client := redis.NewFailoverClient(&redis.FailoverOptions{MasterName: redises.Name, SentinelAddrs: []string{redises.Sentinel.Addr()}, MaxRetries: -1, DialerRetries: 1})
				node := adapter.NewNode(over(t, client, Options{}), adapter.Options{})
				t.Cleanup(node.Close)
				clusters[i] = node.Join("/", adaptertest.NewLocal())
			}
			works := func() bool { return asksTheOther(t, clusters[0]) }
			waitFor(t, works)
			end(redises.Master)
			redises.AwaitFailover(t)
			began := time.Now()
			waitFor(t, works)
			if took := time.Since(began); took > 5*time.Second {
				t.Errorf("works again %s after the failover", took)
			}
		})
	}
}

// asksTheOther says whether a node knows of one other, and has an answer of it.
func asksTheOther(t *testing.T, c *adapter.Cluster) bool {
	n, err := c.Servers(t.Context())
	if n != 1 || err != nil {
		return false
	}
	_, err = c.FetchSockets(t.Context(), adapter.Target{})
	return err == nil
}

// TestRedisCluster holds the promises on three masters, and goes on while a slot moves between them.
func TestRedisCluster(t *testing.T) {
	var addresses []string
	servers := redistest.StartCluster(t, redistest.Login{})
	for _, s := range servers {
		addresses = append(addresses, s.Addr())
	}
	connect := func() *redis.ClusterClient {
		return redis.NewClusterClient(&redis.ClusterOptions{Addrs: slices.Clone(addresses), MaxRetries: -1, DialerRetries: 1, ContextTimeoutEnabled: true})
	}
	first := connect()
	defer first.Close()
	for _, mode := range []Mode{Classic, ShardedStatic} { // with channels for rooms, each has an order of its own
		t.Run(string(mode), func(t *testing.T) {
			adaptertest.Run(t, adaptertest.Cluster{
				Bus:    func(t *testing.T) adapter.Bus { return over(t, connect(), Options{Key: string(mode), Mode: mode}) },
				Synced: func(ctx context.Context, b adapter.Bus) error { return b.(*Bus).Synced(ctx) },
				Named:  mode != Classic,
			})
		})
	}
	for _, elsewhere := range []int{0, 50} { // namespaces beside it, with which each node of Redis is connected already
		t.Run(fmt.Sprintf("a slot moves, %d namespaces elsewhere", elsewhere), func(t *testing.T) {
			slotMoves(t, first, addresses, connect, elsewhere)
		})
	}
	t.Run("a replica hangs", func(t *testing.T) { replicaHangs(t, servers, connect) })
}

// replicaHangs lets a replica join and hang: it is asked who listens there too, and not waited for.
func replicaHangs(t *testing.T, servers []*redistest.Server, connect func() *redis.ClusterClient) {
	replica := redistest.AddReplica(t, servers, servers[0])
	var client *redis.ClusterClient
	waitFor(t, func() bool {
		client = connect()
		found := false
		_ = client.ForEachSlave(t.Context(), func(context.Context, *redis.Client) error { found = true; return nil })
		if !found {
			_ = client.Close()
		}
		return found
	})
	var clusters [2]*adapter.Cluster
	for i, c := range []*redis.ClusterClient{client, connect()} {
		node := adapter.NewNode(over(t, c, Options{Key: "replica"}), adapter.Options{})
		t.Cleanup(node.Close)
		clusters[i] = node.Join("/", adaptertest.NewLocal())
	}
	waitFor(t, func() bool { n, err := clusters[0].Servers(t.Context()); return n == 1 && err == nil })
	replica.Pause()
	began := time.Now()
	if _, err := clusters[0].FetchSockets(t.Context(), adapter.Target{}); err != nil {
		t.Error(err)
	}
	if took := time.Since(began); took > 2*time.Second {
		t.Errorf("took %s", took)
	}
}

// slotMoves lets a namespace's slot migrate as an operator would: requests are answered on the way, and afterwards.
func slotMoves(t *testing.T, first *redis.ClusterClient, addresses []string, connect func() *redis.ClusterClient, elsewhere int) {
	key := fmt.Sprint("beside ", elsewhere)
	const namespace = "/guild/1"
	var clusters [2]*adapter.Cluster
	var nodes [2]*adapter.Node
	for i := range clusters {
		bus := over(t, connect(), Options{Key: key, Mode: Sharded})
		nodes[i] = adapter.NewNode(bus, adapter.Options{RequestTimeout: time.Second})
		t.Cleanup(nodes[i].Close)
		clusters[i] = nodes[i].Join(namespace, adaptertest.NewLocal())
		for j := range elsewhere {
			nodes[i].Join(fmt.Sprint("/elsewhere/", j), adaptertest.NewLocal())
		}
		if err := bus.Synced(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	works := func() bool { return asksTheOther(t, clusters[0]) }
	waitFor(t, works)
	channel := key + "#" + namespace + "#"
	slot := first.ClusterKeySlot(t.Context(), channel).Val()
	var from, to *redis.Client
	all := make([]*redis.Client, len(addresses))
	for i, address := range addresses {
		all[i] = redis.NewClient(&redis.Options{Addr: address})
		defer all[i].Close()
		if all[i].PubSubShardNumSub(t.Context(), channel).Val()[channel] == 2 {
			from = all[i]
		} else {
			to = all[i]
		}
	}
	set := func(at *redis.Client, args ...any) {
		t.Helper()
		if err := at.Do(t.Context(), append([]any{"CLUSTER", "SETSLOT", slot}, args...)...).Err(); err != nil {
			t.Fatal(err)
		}
	}
	set(to, "IMPORTING", from.Do(t.Context(), "CLUSTER", "MYID").Val())
	set(from, "MIGRATING", to.Do(t.Context(), "CLUSTER", "MYID").Val())
	if !works() {
		t.Error("does not work while the slot migrates")
	}
	owner := to.Do(t.Context(), "CLUSTER", "MYID").Val()
	for _, at := range append([]*redis.Client{to}, all...) { // who gets it is told first
		set(at, "NODE", owner)
	}
	began := time.Now()
	waitFor(t, func() bool { return to.PubSubShardNumSub(t.Context(), channel).Val()[channel] == 2 })
	waitFor(t, works)
	another := nodes[0].Join("/another", adaptertest.NewLocal())
	if _, err := another.Servers(t.Context()); err != nil {
		t.Errorf("a namespace joined afterwards: %v", err)
	}
	if took := time.Since(began); took > 5*time.Second {
		t.Errorf("works again %s after the slot moved", took)
	}
}
