package redisbus

import (
	"context"
	"errors"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/pona-realtime/pona/pkg/adapter"
	"github.com/pona-realtime/pona/pkg/adapter/adaptertest"
	"github.com/pona-realtime/pona/pkg/adapter/redistest"
)

// patience is how long a test waits for what must come.
const patience = 20 * time.Second

// connect makes a bus that ends with the test.
func connect(t *testing.T, address string, opts Options) *Bus {
	t.Helper()
	return over(t, redis.NewClient(&redis.Options{Addr: address, MaxRetries: -1, DialerRetries: 1}), opts)
}

func TestPromises(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	for name, opts := range map[string]Options{
		"classic": {}, "specific": {SpecificResponses: true}, "sharded": {Mode: Sharded}, "sharded-static": {Mode: ShardedStatic}, "private": {Mode: ShardedPrivate},
		"classic, RESP2": {}, "sharded, RESP2": {Mode: Sharded},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			opts.Key = name
			protocol := 3
			if strings.HasSuffix(name, "RESP2") {
				protocol = 2
			}
			adaptertest.Run(t, adaptertest.Cluster{
				Bus: func(t *testing.T) adapter.Bus {
					return over(t, redis.NewClient(&redis.Options{Addr: server.Addr(), Protocol: protocol, MaxRetries: -1, DialerRetries: 1}), opts)
				},
				Synced: func(ctx context.Context, b adapter.Bus) error { return b.(*Bus).Synced(ctx) },
				Named:  opts.Mode != "",
			})
		})
	}
}

// waitFor asks again and again, of a peer that tells nothing by itself.
func waitFor(t *testing.T, done func() bool) {
	t.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(patience); !done(); <-tick.C {
		if time.Now().After(deadline) {
			t.Fatal("in vain")
		}
	}
}

// TestRedisRestarts kills Redis: requests fail at once, nothing blocks, and when it is back everything
// is subscribed to again.
func TestRedisRestarts(t *testing.T) {
	t.Parallel()
	for _, mode := range []Mode{Classic, Sharded} {
		t.Run(string(mode), func(t *testing.T) {
			t.Parallel()
			server := redistest.Start(t)
			var nodes [2]*adapter.Cluster
			var buses [2]*Bus
			var logs [2]lineLog
			for i := range nodes {
				buses[i] = connect(t, server.Addr(), Options{Mode: mode, MaxQueued: 1 << 20, Log: logs[i].logger()})
				node := adapter.NewNode(buses[i], adapter.Options{RequestTimeout: patience})
				t.Cleanup(node.Close)
				nodes[i] = node.Join("/", adaptertest.NewLocal())
				nodes[i].RoomCreated("room")
			}
			for _, b := range buses { // who has no connection yet cannot lose it
				if err := b.Synced(t.Context()); err != nil {
					t.Fatal(err)
				}
			}
			if n, err := nodes[0].Servers(t.Context()); n != 1 || err != nil {
				t.Fatal(n, err)
			}
			server.Kill()
			waitFor(t, func() bool { return !buses[0].Stats().Reachable && !buses[1].Stats().Reachable })
			began := time.Now()
			if _, err := nodes[0].FetchSockets(t.Context(), adapter.Target{}); !errors.Is(err, adapter.ErrUnreachable) {
				t.Errorf("a request: %v", err)
			}
			big := adapter.Value{JSON: []byte(`["` + strings.Repeat("x", 64<<10) + `"]`)}
			var refused error
			for range 200 {
				refused = nodes[0].Broadcast(adapter.Target{}, adapter.Flags{}, big)
			}
			if !errors.Is(refused, adapter.ErrUnreachable) && !errors.Is(refused, adapter.ErrFull) {
				t.Errorf("a broadcast: %v", refused)
			}
			if took := time.Since(began); took > 5*time.Second {
				t.Errorf("took %s", took)
			}
			server.Restart()
			waitFor(t, func() bool {
				n, err := nodes[0].Servers(t.Context())
				return err == nil && n == 1 && buses[1].Stats().Reachable
			})
			for _, b := range buses {
				if err := b.Synced(t.Context()); err != nil {
					t.Error(err)
				}
				if s := b.Stats(); s.Lost == 0 || s.Resubscribed == 0 {
					t.Errorf("%+v", s)
				}
			}
			for i := range logs {
				logs[i].want(t, "no subscriptions at Redis, rooms end at this server, trying again", "connected to Redis, subscribing to rooms again")
			}
		})
	}
}

// TestRefusedSubscriptions lets an ACL forbid the channels, and then permit them: requests fail with Redis' reason, and work
// as soon as they may, namespaces joined later among them.
func TestRefusedSubscriptions(t *testing.T) {
	server := redistest.Start(t)
	operator := redis.NewClient(&redis.Options{Addr: server.Addr()})
	defer operator.Close()
	rule := func(channels string) {
		t.Helper()
		if err := operator.ACLSetUser(t.Context(), "pona", "on", ">a secret", "+@all", "~*", "resetchannels", channels).Err(); err != nil {
			t.Fatal(err)
		}
	}
	rule("&others:*")
	client := redis.NewClient(&redis.Options{Addr: server.Addr(), Username: "pona", Password: "a secret", MaxRetries: -1})
	var log lineLog
	b := over(t, client, Options{Log: log.logger()})
	node := adapter.NewNode(b, adapter.Options{})
	defer node.Close()
	first := node.Join("/", adaptertest.NewLocal())
	if _, err := first.Servers(t.Context()); !errors.Is(err, adapter.ErrUnreachable) || !strings.Contains(err.Error(), "NOPERM") {
		t.Error(err)
	}
	rule("&socket.io*")
	waitFor(t, func() bool {
		_, err := first.Servers(t.Context())
		return err == nil
	})
	if _, err := node.Join("/later", adaptertest.NewLocal()).Servers(t.Context()); err != nil || !b.Stats().Reachable {
		t.Errorf("%v, %+v", err, b.Stats())
	}
	log.want(t, "no subscriptions at Redis, rooms end at this server, trying again", "connected to Redis, subscribing to rooms again")
}

// TestRefusedPublishing takes the permission to publish away, and gives it back: the log says what is missing, once, and when it is over.
func TestRefusedPublishing(t *testing.T) {
	server := redistest.Start(t)
	operator := redis.NewClient(&redis.Options{Addr: server.Addr()})
	defer operator.Close()
	if err := operator.ACLSetUser(t.Context(), "pona", "on", ">a secret", "+@all", "-publish", "~*", "allchannels").Err(); err != nil {
		t.Fatal(err)
	}
	var log lineLog
	b := over(t, redis.NewClient(&redis.Options{Addr: server.Addr(), Username: "pona", Password: "a secret", MaxRetries: -1}), Options{Log: log.logger()})
	node := adapter.NewNode(b, adapter.Options{})
	defer node.Close()
	cluster := node.Join("/", adaptertest.NewLocal())
	emit := func(until func(Stats) bool) {
		waitFor(t, func() bool {
			_ = cluster.Broadcast(adapter.Target{}, adapter.Flags{}, adapter.Value{JSON: []byte(`["e"]`)}) // is refused, or not
			return until(b.Stats())
		})
	}
	emit(func(s Stats) bool { return s.Refused > 50 })
	if err := operator.ACLSetUser(t.Context(), "pona", "+publish").Err(); err != nil {
		t.Fatal(err)
	}
	emit(func(s Stats) bool { return s.Published > 1 })
	log.want(t, "Redis refuses what is published, emits end at this server, trying again", "Redis takes what is published again")
}

// TestManyRefusedSubscriptions forbids more channels than may be under way at once, and then permits them: all are subscribed to.
func TestManyRefusedSubscriptions(t *testing.T) {
	server := redistest.Start(t)
	operator := redis.NewClient(&redis.Options{Addr: server.Addr()})
	defer operator.Close()
	if err := operator.ACLSetUser(t.Context(), "pona", "on", ">a secret", "+@all", "~*", "resetchannels").Err(); err != nil {
		t.Fatal(err)
	}
	b := over(t, redis.NewClient(&redis.Options{Addr: server.Addr(), Username: "pona", Password: "a secret", MaxRetries: -1}), Options{})
	for i := range window {
		b.Connect("/"+strconv.Itoa(i), false, func(*adapter.Message) {})
	}
	waitFor(t, func() bool { // it has asked for as many as it may, and again
		commands, err := operator.InfoMap(t.Context(), "commandstats").Result()
		_, refused, _ := strings.Cut(commands["Commandstats"]["cmdstat_subscribe"], "rejected_calls=")
		refused, _, _ = strings.Cut(refused, ",")
		n, _ := strconv.Atoi(refused)
		return err == nil && n > 2*window/512
	})
	if err := operator.ACLSetUser(t.Context(), "pona", "allchannels").Err(); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	waitFor(t, func() bool { return b.Stats().Reachable })
	if err := b.Synced(ctx); err != nil {
		t.Error(err)
	}
}

// TestAnswersAfterAFailure asks a node that has just not been able to publish: it refuses what its own side publishes, and answers.
func TestAnswersAfterAFailure(t *testing.T) {
	server := redistest.Start(t)
	var clusters [2]*adapter.Cluster
	for i := range clusters {
		b := connect(t, server.Addr(), Options{})
		node := adapter.NewNode(b, adapter.Options{RequestTimeout: patience})
		defer node.Close()
		clusters[i] = node.Join("/", adaptertest.NewLocal())
		if err := b.Synced(t.Context()); err != nil {
			t.Fatal(err)
		}
		if i == 1 {
			b.publisher.first.failedAt.Store(time.Now().Add(time.Hour).UnixNano()) // so that it is still just now
		}
	}
	if err := clusters[1].Broadcast(adapter.Target{}, adapter.Flags{}, adapter.Value{JSON: []byte(`["ev"]`)}); !errors.Is(err, adapter.ErrUnreachable) {
		t.Errorf("refuses with %v", err)
	}
	if _, err := clusters[0].FetchSockets(t.Context(), adapter.Target{}); err != nil {
		t.Error(err)
	}
}

// TestForeignBytes publishes what is no message on every channel of a namespace.
func TestForeignBytes(t *testing.T) {
	server := redistest.Start(t)
	b := connect(t, server.Addr(), Options{Key: "k"})
	node := adapter.NewNode(b, adapter.Options{})
	defer node.Close()
	cluster := node.Join("/", adaptertest.NewLocal())
	if _, err := cluster.Servers(t.Context()); err != nil {
		t.Fatal(err)
	}
	client := redis.NewClient(&redis.Options{Addr: server.Addr()})
	defer client.Close()
	for _, channel := range []string{"k#/#", "k-request#/#", "k-response#/#"} {
		for _, payload := range []string{"", "{", "\xdf\xff\xff\xff\xff", `{"type":6}`} {
			if err := client.Publish(t.Context(), channel, payload).Err(); err != nil {
				t.Fatal(err)
			}
		}
	}
	waitFor(t, func() bool { return b.Stats().Malformed == 12 })
}

// TestIgnoredUID has a bus leave out what another publishes that bears a uid of its own, as a mirror does.
func TestIgnoredUID(t *testing.T) {
	server := redistest.Start(t)
	b := connect(t, server.Addr(), Options{Ignore: []string{"mirror"}})
	heard := make(chan *adapter.Message, 2)
	b.Connect("/", false, func(m *adapter.Message) { heard <- m })
	if err := b.Synced(t.Context()); err != nil {
		t.Fatal(err)
	}
	for _, uid := range []string{"mirror", "other"} {
		l := connect(t, server.Addr(), Options{UID: uid}).Connect("/", true, func(*adapter.Message) {})
		published := b.Stats().Received + 1
		if err := l.Publish(&adapter.Message{Kind: adapter.Broadcast, Value: adapter.Value{JSON: []byte(`["ev"]`)}}, nil); err != nil {
			t.Fatal(err)
		}
		waitFor(t, func() bool { return b.Stats().Received == published })
	}
	if m := <-heard; m.From != "other" {
		t.Errorf("heard %+v", m)
	}
}
