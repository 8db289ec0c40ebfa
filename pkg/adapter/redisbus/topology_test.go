package redisbus

import (
	"context"
	"os/exec"
	"strings"
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
	t.Cleanup(b.Close)
	return b
}

// TestSentinelFailover kills the master behind a Sentinel: requests work again on the one that follows it.
func TestSentinelFailover(t *testing.T) {
	redises := redistest.StartFailover(t)
	var clusters [2]*adapter.Cluster
	for i := range clusters {
		client := redis.NewFailoverClient(&redis.FailoverOptions{MasterName: redises.Name, SentinelAddrs: []string{redises.Sentinel.Addr()}, MaxRetries: -1, DialerRetries: 1})
		node := adapter.NewNode(over(t, client, Options{}), adapter.Options{})
		t.Cleanup(node.Close)
		clusters[i] = node.Join("/", adaptertest.NewLocal())
	}
	works := func() bool {
		n, err := clusters[0].Servers(t.Context())
		if n != 1 || err != nil {
			return false
		}
		_, err = clusters[0].FetchSockets(t.Context(), adapter.Target{})
		return err == nil
	}
	waitFor(t, works)
	redises.Master.Kill()
	redises.AwaitFailover(t)
	began := time.Now()
	waitFor(t, works)
	if took := time.Since(began); took > 5*time.Second {
		t.Errorf("works again %s after the failover", took)
	}
}

// TestRedisCluster holds the promises on three masters, and goes on while a slot moves between them.
func TestRedisCluster(t *testing.T) {
	var addresses []string
	for range 3 {
		s := redistest.Start(t, "--cluster-enabled", "yes", "--cluster-node-timeout", "3000") // ms; a greeting that goes wrong is repeated only then
		addresses = append(addresses, s.Addr())
	}
	create := append([]string{"--cluster", "create"}, append(addresses, "--cluster-yes")...)
	if out, err := exec.Command("redis-cli", create...).CombinedOutput(); err != nil {
		t.Fatalf("%s: %v", out, err)
	}
	connect := func() *redis.ClusterClient {
		return redis.NewClusterClient(&redis.ClusterOptions{Addrs: addresses, MaxRetries: -1, DialerRetries: 1})
	}
	first := connect()
	defer first.Close()
	waitFor(t, func() bool { // for each node to know all
		for _, address := range addresses {
			node := redis.NewClient(&redis.Options{Addr: address})
			shards, err := node.ClusterShards(t.Context()).Result()
			info, err2 := node.ClusterInfo(t.Context()).Result()
			_ = node.Close()
			if err != nil || err2 != nil || len(shards) != len(addresses) || !strings.Contains(info, "cluster_state:ok") {
				return false
			}
		}
		return true
	})
	for _, mode := range []Mode{Classic, ShardedStatic} { // with channels for rooms, each has an order of its own
		t.Run(string(mode), func(t *testing.T) {
			adaptertest.Run(t, adaptertest.Cluster{
				Bus:    func(t *testing.T) adapter.Bus { return over(t, connect(), Options{Key: string(mode), Mode: mode}) },
				Synced: func(ctx context.Context, b adapter.Bus) error { return b.(*Bus).Synced(ctx) },
			})
		})
	}
	t.Run("a slot moves", func(t *testing.T) {
		const namespace = "/guild/1"
		var clusters [2]*adapter.Cluster
		for i := range clusters {
			node := adapter.NewNode(over(t, connect(), Options{Mode: Sharded}), adapter.Options{RequestTimeout: time.Second})
			t.Cleanup(node.Close)
			clusters[i] = node.Join(namespace, adaptertest.NewLocal())
		}
		works := func() bool {
			n, err := clusters[0].Servers(t.Context())
			if n != 1 || err != nil {
				return false
			}
			_, err = clusters[0].FetchSockets(t.Context(), adapter.Target{})
			return err == nil
		}
		waitFor(t, works)
		channel := "socket.io#" + namespace + "#"
		slot := first.ClusterKeySlot(t.Context(), channel).Val()
		from, err := first.MasterForKey(t.Context(), channel)
		if err != nil {
			t.Fatal(err)
		}
		to := from
		for _, address := range addresses {
			if address != from.Options().Addr {
				to = redis.NewClient(&redis.Options{Addr: address})
				defer to.Close()
				break
			}
		}
		id := to.Do(t.Context(), "CLUSTER", "MYID").Val()
		for _, address := range addresses {
			c := redis.NewClient(&redis.Options{Addr: address})
			if err := c.Do(t.Context(), "CLUSTER", "SETSLOT", slot, "NODE", id).Err(); err != nil {
				t.Error(err)
			}
			_ = c.Close()
		}
		began := time.Now()
		waitFor(t, func() bool { return to.PubSubShardNumSub(t.Context(), channel).Val()[channel] == 2 })
		waitFor(t, works)
		if took := time.Since(began); took > 5*time.Second {
			t.Errorf("works again %s after the slot moved", took)
		}
	})
}
