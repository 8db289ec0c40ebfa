package redisbus

import (
	"context"
	"fmt"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/pona-realtime/pona/pkg/adapter"
	"github.com/pona-realtime/pona/pkg/adapter/adaptertest"
	"github.com/pona-realtime/pona/pkg/adapter/redistest"
)

// info is a figure of Redis' INFO, or 0.
func info(t *testing.T, client *redis.Client, section, name string) (n int) {
	t.Helper()
	text, err := client.Info(t.Context(), section).Result()
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(text) {
		if value, ok := strings.CutPrefix(strings.TrimSpace(line), name); ok {
			_, _ = fmt.Sscanf(value, "%d", &n)
		}
	}
	return n
}

// heap is what is in use, and how many goroutines there are.
func heap() (bytes uint64, goroutines int) {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc, runtime.NumGoroutine()
}

// TestManyEmptyInAnOutage lets more namespaces empty than fit into one window, while Redis hangs and then goes: they are given up
// all the same.
func TestManyEmptyInAnOutage(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	b := connect(t, server.Addr(), Options{})
	node := adapter.NewNode(b, adapter.Options{Linger: time.Millisecond})
	defer node.Close()
	clusters := make([]*adapter.Cluster, 3*window)
	for i := range clusters {
		clusters[i] = node.Join(fmt.Sprint("/", i), adaptertest.NewLocal())
	}
	if err := b.Synced(t.Context()); err != nil {
		t.Fatal(err)
	}
	server.Pause()
	for _, c := range clusters {
		c.Leave()
	}
	waitFor(t, func() bool { return len(b.subscriptions.names()) == 0 })
	server.Kill()
	waitFor(t, func() bool { return b.Stats().Channels == 0 })
}

// TestManyNamespaces joins and leaves manyNamespaces, a hundred thousand where no race detector slows it down, with
// a room in some, more than fit into one window: what they took at Redis and here is given back, no connection is
// lost to output buffers, and Redis is never asked for a pattern.
func TestManyNamespaces(t *testing.T) {
	server := redistest.Start(t, "--client-output-buffer-limit", "pubsub 512kb 512kb 1") // what answers to subscriptions may take
	client := redis.NewClient(&redis.Options{Addr: server.Addr()})
	defer client.Close()
	b := connect(t, server.Addr(), Options{})
	node := adapter.NewNode(b, adapter.Options{Linger: 10 * time.Millisecond})
	defer node.Close()
	local := adaptertest.NewLocal()
	first := node.Join("/", local) // opens connections, which stay
	if _, err := first.Servers(t.Context()); err != nil {
		t.Fatal(err)
	}
	base := info(t, client, "stats", "pubsub_channels:")
	bytes, goroutines := heap()

	clusters := make([]*adapter.Cluster, manyNamespaces)
	rooms := 0
	for i := range clusters {
		clusters[i] = node.Join(fmt.Sprintf("/guild/%d", i), local)
		if i%100 == 0 {
			clusters[i].RoomCreated("pona! music")
			rooms++
			if _, err := clusters[i].Servers(t.Context()); err != nil { // subscribes to answers
				t.Fatal(err)
			}
		}
	}
	ctx, cancel := context.WithTimeout(t.Context(), 3*patience)
	defer cancel()
	if err := b.Synced(ctx); err != nil {
		t.Fatal(err)
	}
	if channels, want := info(t, client, "stats", "pubsub_channels:"), base+2*manyNamespaces+3*rooms; channels != want {
		t.Errorf("%d channels, want %d", channels, want)
	}
	for _, c := range clusters {
		c.Leave()
	}
	clusters = nil
	waitFor(t, func() bool {
		return b.Stats().Channels == base && info(t, client, "stats", "pubsub_channels:") == base
	})

	const kept = 48 // bytes for a channel: go-redis' set of a connection's channels has room for all it ever had
	after, now := heap()
	if after > bytes+1<<20+kept*uint64(2*manyNamespaces+3*rooms) || now > goroutines {
		t.Errorf("%d bytes and %d goroutines, before %d and %d", after, now, bytes, goroutines)
	}
	for _, command := range []string{"psubscribe", "punsubscribe"} {
		if calls := info(t, client, "commandstats", "cmdstat_"+command+":calls="); calls != 0 {
			t.Errorf("%s: %d calls", command, calls)
		}
	}
	if list := client.ClientList(t.Context()).Val(); strings.Count(list, " psub=") != strings.Count(list, " psub=0 ") {
		t.Error(list)
	}
	if s := b.Stats(); s.Lost != 0 || s.Resubscribed != 0 {
		t.Errorf("%+v", s)
	}
}
