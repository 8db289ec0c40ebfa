package auth

import (
	"context"
	"errors"
	"net"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/pona-realtime/pona/services/edge/edgetest"
)

// startRedis starts a real redis-server that ends with the test.
func startRedis(t testing.TB) *redis.Client {
	t.Helper()
	options, err := redis.ParseURL(edgetest.StartRedis(t))
	if err != nil {
		t.Fatal(err)
	}
	client := redis.NewClient(options)
	t.Cleanup(func() { _ = client.Close() })
	return client
}

func sharing(client *redis.Client, secret string) func(*setup) {
	return func(s *setup) { s.gate.Redis, s.gate.Secrets = client, [][]byte{[]byte(strings.Repeat(secret, 32))} }
}

func TestARestartCostsNoQuestions(t *testing.T) {
	f, client := edgetest.StartDiscord(t), startRedis(t)
	ask := func(g *Gate, users, members int) {
		t.Helper()
		for range 2 {
			for key, want := range map[string]error{"user1": nil, "nobody": ErrUnauthorized, "user3": ErrNotMember} {
				if user, err := g.Authorize(t.Context(), 100, bearer(key)); err != want || err == nil && user.ID != 1 {
					t.Errorf("%s: %d, %v, want %v", key, user.ID, err, want)
				}
			}
		}
		if u, m := f.Asked("/users/@me"), f.Asked("/guilds/"); u != users || m != members {
			t.Errorf("asked %d and %d times, want %d and %d", u, m, users, members)
		}
	}
	ask(newDiscord(t, f, sharing(client, "k")), 3, 2)
	second := newDiscord(t, f, sharing(client, "k"))
	ask(second, 3, 2)
	if s := second.Stats(); s.Users.Shared != 3 || s.Members.Shared != 2 || s.Users.Asked != 0 {
		t.Errorf("%+v", s)
	}
	ask(newDiscord(t, f, sharing(client, "x")), 6, 4) // another cluster learns nothing
	second.Forget(t.Context(), 1, 100)
	ask(newDiscord(t, f, sharing(client, "k")), 6, 5) // forgotten for all
}

func TestRedisLearnsNothing(t *testing.T) {
	f, client := edgetest.StartDiscord(t), startRedis(t)
	g := newDiscord(t, f, sharing(client, "k"))
	for _, key := range []string{"user1", "user175928847299117063", "hunter2"} {
		_, _ = g.Authorize(t.Context(), 100, bearer(key))
	}
	keys, err := client.Keys(t.Context(), "*").Result()
	if err != nil || len(keys) != 5 {
		t.Fatalf("%v, %v", keys, err)
	}
	for _, key := range keys {
		value, err := client.Get(t.Context(), key).Result()
		if err != nil {
			t.Fatal(err)
		}
		for _, secret := range []string{"user1", "175928847299117063", "hunter2", "Bearer", edgetest.DiscordBotToken, "unauthorized"} {
			if strings.Contains(key+value, secret) {
				t.Errorf("Redis shows %q: %s = %s", secret, key, value)
			}
		}
		ttl, err := client.TTL(t.Context(), key).Result()
		if err != nil || ttl <= 0 || ttl > 66*time.Minute {
			t.Errorf("%s lives %s, %v", key, ttl, err)
		}
	}
}

// TestWhoWritesRedisLetsNobodyIn moves a yes to another's key, and makes things up.
func TestWhoWritesRedisLetsNobodyIn(t *testing.T) {
	f, client := edgetest.StartDiscord(t), startRedis(t)
	g := newDiscord(t, f, sharing(client, "k"))
	if _, err := g.Authorize(t.Context(), 100, bearer("user1")); err != nil {
		t.Fatal(err)
	}
	yes, err := client.Get(t.Context(), sharedPrefix+g.hasher.userName(g.hasher.credential(bearer("user1")))).Result()
	if err != nil {
		t.Fatal(err)
	}
	for _, value := range []string{yes, `{"value":{"ID":1},"fresh":9223372036854775807,"keep":9223372036854775807}`, ""} {
		if err := client.Set(t.Context(), sharedPrefix+g.hasher.userName(g.hasher.credential(bearer("evil"))), value, time.Hour).Err(); err != nil {
			t.Fatal(err)
		}
		if _, err := newDiscord(t, f, sharing(client, "k")).Authorize(t.Context(), 100, bearer("evil")); err != ErrUnauthorized {
			t.Errorf("%.20q: %v", value, err)
		}
	}
}

func TestRedisIsNotWaitedFor(t *testing.T) {
	f := edgetest.StartDiscord(t)
	client := redis.NewClient(&redis.Options{Addr: "127.0.0.1:1", MaxRetries: -1})
	t.Cleanup(func() { _ = client.Close() })
	g := newDiscord(t, f, sharing(client, "k"))
	began := time.Now()
	for user := range 20 {
		if _, err := g.Authorize(t.Context(), 1000, bearer("user"+string(rune('1'+user%9)))); err != nil {
			t.Error(err)
		}
	}
	if took := time.Since(began); took > 4*sharedTimeout {
		t.Errorf("20 questions took %s", took)
	}
}

// cable is a connection that can be cut.
type cable struct {
	net.Conn
	cut *atomic.Bool
}

var errCut = errors.New("the cable is cut")

func (c cable) Write(p []byte) (int, error) {
	if c.cut.Load() {
		return 0, errCut
	}
	return c.Conn.Write(p)
}

// TestWhatIsForgottenWhileRedisIsAwayIsErasedLater has a user removed while an edge cannot reach Redis.
func TestWhatIsForgottenWhileRedisIsAwayIsErasedLater(t *testing.T) {
	f, client := edgetest.StartDiscord(t), startRedis(t)
	var cut atomic.Bool
	options := *client.Options()
	options.MaxRetries = -1
	options.Dialer = func(ctx context.Context, network, address string) (net.Conn, error) {
		if cut.Load() {
			return nil, errCut
		}
		conn, err := new(net.Dialer).DialContext(ctx, network, address)
		return cable{conn, &cut}, err
	}
	behind := redis.NewClient(&options)
	t.Cleanup(func() { _ = behind.Close() })
	g := newDiscord(t, f, sharing(behind, "k"))
	authorize := func(g *Gate, key string, want error) {
		t.Helper()
		if _, err := g.Authorize(t.Context(), 1000, bearer(key)); err != want { //nolint:errorlint // the very one
			t.Errorf("%s: %v, want %v", key, err, want)
		}
	}
	stored := func(want int64) {
		t.Helper()
		key := sharedPrefix + g.hasher.memberName(membership{1000, 1})
		if n, err := client.Exists(t.Context(), key).Result(); err != nil || n != want {
			t.Errorf("%d answers in Redis, %v, want %d", n, err, want)
		}
	}
	authorize(g, "user1", nil)
	stored(1)

	cut.Store(true)
	f.Remove(1000, 1)
	for range sharedPatient + 1 { // the last one while Redis is left alone
		g.Forget(t.Context(), 1, 1000)
	}
	authorize(g, "user1", ErrNotMember)
	stored(1)

	cut.Store(false)
	g.members.shared.pause.Store(1) // which is over
	authorize(g, "user2", nil)
	stored(0)
	authorize(newDiscord(t, f, sharing(client, "k")), "user1", ErrNotMember)
}
