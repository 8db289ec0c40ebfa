package app

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	edgev1 "github.com/pona-realtime/pona/proto/pona/edge/v1"
	"github.com/pona-realtime/pona/services/edge/edgetest"
)

// TestKnownUsersComeBackFaster has users join whom a slow Discord must be asked about, and join again.
func TestKnownUsersComeBackFaster(t *testing.T) {
	const users = 9
	s := local(t)
	withFanout(t, &s)
	d := withDiscord(t, &s)
	d.Late(100 * time.Millisecond)
	a := started(t, s)
	var took [2][]time.Duration
	for visit := range took {
		for user := range users {
			c := edgetest.DialWebSocket(t, a.Addr())
			began := time.Now()
			c.Connect(guild1000, bearer(fmt.Sprint("user", user+1)))
			c.Joined(guild1000)
			took[visit] = append(took[visit], time.Since(began))
		}
		slices.Sort(took[visit])
	}
	unknown, known := took[0][users/2], took[1][users/2]
	t.Logf("p50: unknown %s, known %s", unknown, known)
	if unknown < 10*known {
		t.Errorf("p50: unknown %s, known %s: not 10 times faster", unknown, known)
	}
}

// TestRevocationReachesOtherEdges has a bot's word come to all edges of a fanout.
func TestRevocationReachesOtherEdges(t *testing.T) {
	s := local(t)
	_, p := withFanout(t, &s)
	withDiscord(t, &s)
	var clients []*edgetest.Client
	for range 2 {
		clients = append(clients, joined(t, started(t, s), guild1000, bearer("user1")))
	}
	began := time.Now()
	p.Revoke(&edgev1.Revoked{GuildId: 1000, UserIds: []uint64{1}, Reason: "banned"})
	for _, c := range clients {
		wantRevoked(t, c, guild1000, "banned")
	}
	if took := time.Since(began); took > time.Second {
		t.Errorf("took %s", took)
	}
}

// TestTokensAppearNowhere lets tokens of all fates in and greps what the edge writes anywhere.
func TestTokensAppearNowhere(t *testing.T) {
	s := local(t)
	f, p := withFanout(t, &s)
	d := withDiscord(t, &s)
	s.Redis, s.AuthRecheck = edgetest.StartRedis(t), 10*time.Millisecond
	commands := make(chan *edgev1.DispatchRequest, 16)
	f.Answer(func(_ context.Context, r *edgev1.DispatchRequest) (*edgev1.DispatchResponse, error) {
		commands <- r
		return nil, fmt.Errorf("refused")
	})
	log := logOf("a command failed")
	a := start(t, s, slog.New(slog.NewJSONHandler(log, &slog.HandlerOptions{Level: slog.LevelDebug})))
	await(t, a.Ready())

	var said strings.Builder // to the clients
	for _, key := range []string{"user7070707", "hunter2", "other8080808"} {
		c := edgetest.DialWebSocket(t, a.Addr())
		for _, namespace := range []string{guild1000, "/guild/102"} {
			c.Connect(namespace, bearer(key))
			packet := c.Next()
			fmt.Fprintln(&said, packet)
			if packet.Type == edgetest.Connect {
				c.Handshake(namespace)
				c.EmitWithAck(namespace, "play")
				fmt.Fprintln(&said, c.Next())
				fmt.Fprintln(&said, <-commands)
			}
		}
	}
	p.Revoke(&edgev1.Revoked{GuildId: 1000, UserIds: []uint64{7070707}, Reason: "banned"})
	d.Close() // trouble, too
	c := edgetest.DialWebSocket(t, a.Addr())
	c.Connect(guild1000, bearer("hunter3"))
	fmt.Fprintln(&said, c.Next())
	await(t, log.told)
	_, metrics := get(t, "http://"+a.AdminAddr()+"/metrics")
	_, ready := get(t, "http://"+a.AdminAddr()+"/readyz")
	_, goroutines := get(t, "http://"+a.AdminAddr()+"/debug/pprof/goroutine?debug=2")

	options, err := redis.ParseURL(s.Redis)
	if err != nil {
		t.Fatal(err)
	}
	client := redis.NewClient(options)
	defer client.Close() //nolint:errcheck // of the test
	keys, err := client.Keys(t.Context(), "*").Result()
	if err != nil || len(keys) == 0 {
		t.Fatalf("%v, %v", keys, err)
	}
	var stored strings.Builder
	for _, key := range keys {
		dump, err := client.Dump(t.Context(), key).Result()
		if err != nil && err != redis.Nil { //nolint:errorlint // go-redis returns it bare
			t.Fatal(err)
		}
		fmt.Fprintln(&stored, key, dump)
	}
	for where, text := range map[string]string{
		"log": log.String(), "metrics": metrics, "readiness": ready, "goroutines": goroutines, "Redis": stored.String(), "clients": said.String(),
	} {
		for _, secret := range []string{"user7070707", "hunter", "other8080808", "Bearer", edgetest.DiscordBotToken, s.ClusterKeys[0]} {
			if strings.Contains(text, secret) {
				t.Errorf("%s tells %q:\n%s", where, secret, text)
			}
		}
	}
}
