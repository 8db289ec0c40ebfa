package redistest

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
)

// Failover is a master with one replica, and the Sentinel that watches over them.
type Failover struct {
	Name             string // the master's, to Sentinel
	Master, Sentinel *Server

	watch *redis.SentinelClient
}

// StartFailover returns when the replica can take the master's place.
func StartFailover(t testing.TB) *Failover {
	t.Helper()
	f := &Failover{Name: "m", Master: Start(t)}
	Start(t, "--replicaof", "127.0.0.1", strconv.Itoa(f.Master.Port))
	config := filepath.Join(t.TempDir(), "sentinel.conf")
	text := fmt.Sprintf("sentinel monitor m 127.0.0.1 %d 1\nsentinel down-after-milliseconds m 500\nsentinel failover-timeout m 2000\n", f.Master.Port)
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	f.Sentinel = StartSentinel(t, config)
	f.watch = redis.NewSentinelClient(&redis.Options{Addr: f.Sentinel.Addr()})
	t.Cleanup(func() { _ = f.watch.Close() })
	f.await(t, func() bool {
		replicas, err := f.watch.Replicas(t.Context(), f.Name).Result()
		return err == nil && len(replicas) == 1 && replicas[0]["flags"] == "slave" && replicas[0]["master-link-status"] == "ok"
	})
	return f
}

// AwaitFailover waits until Sentinel names another master than Master.
func (f *Failover) AwaitFailover(t testing.TB) {
	t.Helper()
	f.await(t, func() bool {
		address, err := f.watch.GetMasterAddrByName(t.Context(), f.Name).Result()
		return err == nil && address[1] != strconv.Itoa(f.Master.Port)
	})
}

// await asks again and again: Sentinel tells nothing by itself that is simpler to hear.
func (f *Failover) await(t testing.TB, done func() bool) {
	t.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(20 * time.Second); !done(); <-tick.C {
		if time.Now().After(deadline) {
			t.Fatal("Sentinel does not get there")
		}
	}
}
