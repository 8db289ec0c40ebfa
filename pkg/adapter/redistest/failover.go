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

// StartFailover returns when the replica can take the master's place. The arguments are for all three, which the login enters.
func StartFailover(t testing.TB, login Login, args ...string) *Failover {
	t.Helper()
	text := "sentinel down-after-milliseconds m 500\nsentinel failover-timeout m 2000\n"
	if login.User != "" {
		args = append(args, "--masteruser", login.User, "--masterauth", login.Password)
		text += fmt.Sprintf("sentinel auth-user m %s\nsentinel auth-pass m %s\n", login.User, login.Password)
	}
	f := &Failover{Name: "m", Master: Start(t, args...)}
	Start(t, append([]string{"--replicaof", "127.0.0.1", strconv.Itoa(f.Master.Port)}, args...)...)
	config := filepath.Join(t.TempDir(), "sentinel.conf")
	text = fmt.Sprintf("sentinel monitor m 127.0.0.1 %d 1\n%s", f.Master.Port, text)
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	f.Sentinel = startSentinel(t, config, args...)
	f.watch = redis.NewSentinelClient(&redis.Options{Addr: f.Sentinel.Addr(), TLSConfig: login.TLS, Username: login.User, Password: login.Password})
	t.Cleanup(func() { _ = f.watch.Close() })
	await(t, "Sentinel", func() bool {
		replicas, err := f.watch.Replicas(t.Context(), f.Name).Result()
		return err == nil && len(replicas) == 1 && replicas[0]["flags"] == "slave" && replicas[0]["master-link-status"] == "ok"
	})
	return f
}

// AwaitFailover waits until Sentinel names another master than Master.
func (f *Failover) AwaitFailover(t testing.TB) {
	t.Helper()
	await(t, "Sentinel", func() bool {
		address, err := f.watch.GetMasterAddrByName(t.Context(), f.Name).Result()
		return err == nil && address[1] != strconv.Itoa(f.Master.Port)
	})
}

// await asks again and again: servers tell nothing by themselves that is simpler to hear.
func await(t testing.TB, who string, done func() bool) {
	t.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(20 * time.Second); !done(); <-tick.C {
		if time.Now().After(deadline) {
			t.Fatalf("%s does not get there", who)
		}
	}
}
