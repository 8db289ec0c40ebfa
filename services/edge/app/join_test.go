package app

import (
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/pona-realtime/pona/services/edge/edgetest"
)

// withDiscord has the settings ask a Discord of the test's.
func withDiscord(t testing.TB, s *Settings) *edgetest.Discord {
	t.Helper()
	d := edgetest.StartDiscord(t)
	s.Auth, s.DiscordURL, s.DiscordBotToken = "discord", d.Base(), edgetest.DiscordBotToken
	return d
}

func bearer(key string) string { return fmt.Sprintf(`{"type":"Bearer","key":%q}`, key) }

func TestRefusals(t *testing.T) {
	s := local(t)
	withFanout(t, &s)
	withDiscord(t, &s)
	a := started(t, s)
	const (
		required  = `{"message":"Authentication token required"}`
		unknown   = `{"message":"unauthorized"}`
		noGuild   = `{"message":"invalid guild"}`
		notMember = `{"message":"not a member of this guild"}`
	)
	for _, test := range []struct {
		name, header, namespace, payload, want string // want "" for a welcome
	}{
		{"member", "", guild100, bearer("user1"), ""},
		{"member by header", "Bearer user1", guild100, "", ""},
		{"header wins, a good one", "Bearer user1", guild100, bearer("nobody"), ""},
		{"header wins, a bad one", "Bearer nobody", guild100, bearer("user1"), unknown},
		{"no credentials", "", guild100, "", required},
		{"empty key", "", guild100, `{"type":"Bearer","key":""}`, required},
		{"empty type", "", guild100, `{"type":"","key":"user1"}`, required},
		{"no object", "", guild100, `{"type":["Bearer"],"key":{}}`, required},
		{"no number that fits", "", "/guild/18446744073709551616", bearer("user1"), required},
		{"no number, no credentials", "", "/guild/99999999999999999999999", "", required},
		{"zero", "", "/guild/0", bearer("user1"), required},
		{"leading zero", "", "/guild/0100", bearer("user1"), required},
		{"unknown token", "", guild100, bearer("nobody"), unknown},
		{"unknown token before unknown guild", "", "/guild/999", bearer("nobody"), unknown},
		{"bot not in guild", "", "/guild/999", bearer("user1"), noGuild},
		{"bot not allowed in guild", "", "/guild/102", bearer("user1"), noGuild},
		{"no member", "", "/guild/101", bearer("user1"), notMember},
		{"no member, no such user", "", guild100, bearer("user2"), notMember},
		{"unknown encoding", "", guild100, `{"type":"Bearer","key":"user1","encoding":"xml"}`, `{"message":"encoding must be \"base64\", \"json\" or \"binary\""}`},
		{"unknown encoding, unknown token", "", guild100, `{"type":"Bearer","key":"nobody","encoding":"xml"}`, unknown},
		{"no guild at all", "", "/guild/1x", bearer("user1"), `{"message":"Invalid namespace"}`},
	} {
		t.Run(test.name, func(t *testing.T) {
			header := http.Header{}
			if test.header != "" {
				header.Set("Authorization", test.header)
			}
			c := edgetest.DialWebSocket(t, a.Addr(), edgetest.With(header))
			c.Connect(test.namespace, test.payload)
			if test.want != "" {
				c.Want(edgetest.ConnectError, test.namespace, test.want)
				return
			}
			c.Joined(test.namespace)
			c.Handshake(test.namespace)
		})
	}
}

func TestTokensOfAnotherBackend(t *testing.T) {
	s := local(t)
	withFanout(t, &s)
	s.Auth, s.Members, s.JWTSecret = "jwt", "token", strings.Repeat("s", 32)
	a := started(t, s)
	token, err := jwt.NewWithClaims(jwt.SigningMethodHS256, jwt.MapClaims{
		"sub": "1", "guilds": []string{"100"}, "exp": time.Now().Add(time.Hour).Unix(),
	}).SignedString([]byte(s.JWTSecret))
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct{ guild, key, want string }{
		{guild100, token, ""},
		{"/guild/101", token, `{"message":"not a member of this guild"}`},
		{guild100, token + "x", `{"message":"unauthorized"}`},
	} {
		c := edgetest.DialWebSocket(t, a.Addr())
		c.Connect(test.guild, bearer(test.key))
		if test.want == "" {
			c.Joined(test.guild)
		} else {
			c.Want(edgetest.ConnectError, test.guild, test.want)
		}
	}
}

func TestTroubleAtDiscord(t *testing.T) {
	s := local(t)
	withFanout(t, &s)
	d := withDiscord(t, &s)
	s.DiscordTimeout = 100 * time.Millisecond
	log := logOf("Discord does not answer as it should")
	a := start(t, s, slog.New(slog.NewTextHandler(log, &slog.HandlerOptions{Level: slog.LevelDebug})))
	await(t, a.Ready())
	for name, test := range map[string]struct {
		answer func(w http.ResponseWriter, r *http.Request)
		want   string
	}{
		"429": {func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Retry-After", "2")
			w.Header().Set("X-RateLimit-Scope", "user")
			edgetest.Reply(w, 429, `{"message": "You are being rate limited.", "retry_after": 1.25, "global": false}`)
		}, `{"message":"temporarily unavailable","data":{"retryAfterMs":1250}}`},
		"503":  {func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(503) }, `{"message":"temporarily unavailable","data":{"retryAfterMs":5000}}`},
		"HTML": {func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("<html>")) }, `{"message":"temporarily unavailable","data":{"retryAfterMs":5000}}`},
		"hang": {func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }, `{"message":"temporarily unavailable","data":{"retryAfterMs":5000}}`},
	} {
		d.Answer(func(w http.ResponseWriter, r *http.Request) bool { test.answer(w, r); return true })
		c := edgetest.DialWebSocket(t, a.Addr())
		c.Connect(guild100, bearer("hunter2"+name))
		c.Want(edgetest.ConnectError, guild100, test.want)
	}
	d.Answer(nil)
	c := edgetest.DialWebSocket(t, a.Addr())
	c.Connect(guild100, bearer("user1"))
	c.Joined(guild100)
	await(t, log.told)
	for _, secret := range []string{"hunter2", "user1", edgetest.DiscordBotToken, s.ClusterKeys[0]} {
		if strings.Contains(log.String(), secret) {
			t.Errorf("the log tells %q:\n%s", secret, log.String())
		}
	}
}

func TestManyJoinsCostFewQuestions(t *testing.T) {
	s := local(t)
	withFanout(t, &s)
	d := withDiscord(t, &s)
	a := started(t, s)
	clients := make([]*edgetest.Client, 20)
	for i := range clients {
		clients[i] = edgetest.DialWebSocket(t, a.Addr())
		clients[i].Connect(guild100, bearer("user1"))
	}
	for _, c := range clients {
		c.Joined(guild100)
		c.Handshake(guild100)
	}
	if users, members := d.Asked("/users/@me"), d.Asked("/guilds/"); users != 1 || members != 1 {
		t.Errorf("asked %d and %d times, want once each", users, members)
	}
}

func TestAGuildThatNobodyBrings(t *testing.T) {
	s := local(t)
	f := edgetest.StartFanout(t)
	s.Fanouts, s.JoinWait = []string{f.Addr()}, 50*time.Millisecond
	a := start(t, s, quiet)
	f.Accept(t).Owned(0, 0)
	await(t, a.Ready())
	c := edgetest.DialWebSocket(t, a.Addr())
	c.Connect(guild100, as(1))
	c.Want(edgetest.ConnectError, guild100, `{"message":"temporarily unavailable","data":{"retryAfterMs":2000}}`)
}

// TestJoinsAreAtomic lets clients in while events come. Each must get its handshake first, and then
// exactly the events that the handshake does not show, in order: also those for the whole namespace.
func TestJoinsAreAtomic(t *testing.T) {
	const joins, atMost = 40, 500
	s := local(t)
	_, p := withFanout(t, &s)
	a := started(t, s)
	p.Publish(100, edgetest.Channel("5"))
	last := 0
	happen := func() {
		last++
		p.Publish(100, edgetest.Volume(fmt.Sprint(last)))
		p.Publish(100, edgetest.Generic("", "whole", fmt.Sprintf("[%d]", last)))
	}
	joined, stopped := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(stopped)
		for range atMost {
			select {
			case <-joined:
				return
			default:
				happen()
			}
		}
	}()
	clients := make([]*edgetest.Client, joins)
	for i := range clients {
		clients[i] = edgetest.DialWebSocket(t, a.Addr())
		clients[i].Connect(guild100, as(i+1))
	}
	for _, c := range clients {
		c.Joined(guild100)
	}
	close(joined)
	<-stopped
	happen() // what all of them get
	for i, c := range clients {
		shown := c.Handshake(guild100)
		n := 0
		if _, rest, ok := strings.Cut(shown, `"volume":`); ok {
			_, _ = fmt.Sscanf(rest, "%d", &n)
		}
		// A volume_updated and a whole come in turn; which is first depends on when the client came.
		for first, owed, whole := true, false, 0; whole < last; first = false {
			name, args := c.Event(guild100)
			switch {
			case name == "volume_updated" && string(args[0]) == fmt.Sprint(n+1) && !owed:
				n, owed = n+1, true
			case name == "whole" && string(args[0]) == fmt.Sprint(n) && (owed || first):
				whole, owed = n, false
			default:
				t.Fatalf("client %d: %s %s after %d", i, name, args, n)
			}
		}
	}
}

func TestListenersAreToldOfAGap(t *testing.T) {
	s := local(t)
	f := edgetest.StartFanout(t)
	s.Fanouts = []string{f.Addr()}
	a := start(t, s, quiet)
	stream := f.Accept(t)
	stream.Hello(t)
	stream.Owned(1, 1, 0)
	c := edgetest.DialWebSocket(t, a.Addr())
	c.Connect(guild100, as(1))
	stream.Subscribed(t)
	stream.Snapshot(100, 10, nil)
	c.Joined(guild100)
	c.Handshake(guild100)
	stream.Reset(100)
	stream.Snapshot(100, 20, edgetest.Playing("77"))
	await(t, c.Closed())
	again := edgetest.DialWebSocket(t, a.Addr())
	again.ConnectAgain(c, guild100, as(1))
	again.Joined(guild100)
	if shown := again.Handshake(guild100); again.Recovered() || !strings.Contains(shown, `"volume":77,`) {
		t.Errorf("recovered %v, %s", again.Recovered(), shown)
	}
}

func TestAFanoutsStreamBreaks(t *testing.T) {
	s := local(t)
	_, p := withFanout(t, &s)
	a := started(t, s)
	c := edgetest.DialWebSocket(t, a.Addr())
	c.Connect(guild100, as(1))
	c.Joined(guild100)
	c.Handshake(guild100)
	for n := range 40 {
		if n%10 == 5 {
			p.Cut(nil)
		}
		p.Publish(100, edgetest.Volume(fmt.Sprint(n)))
		c.Want(edgetest.Event, guild100, fmt.Sprintf(`["volume_updated",%d]`, n))
	}
}

func TestGuildsStayApart(t *testing.T) {
	s := local(t)
	_, p := withFanout(t, &s)
	a := started(t, s)
	c := edgetest.DialWebSocket(t, a.Addr())
	for guild := 1; guild <= 5; guild++ {
		namespace := fmt.Sprint("/guild/", guild)
		c.Connect(namespace, as(1))
		c.Joined(namespace)
		c.Handshake(namespace)
	}
	for round := range 20 {
		guild := round%5 + 1
		p.Publish(uint64(guild), edgetest.Generic("", "whole", fmt.Sprintf("[%d]", guild)))
		c.Want(edgetest.Event, fmt.Sprint("/guild/", guild), fmt.Sprintf(`["whole",%d]`, guild))
	}
}
