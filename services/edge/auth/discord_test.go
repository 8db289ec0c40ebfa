package auth

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/pona-realtime/pona/services/edge/edgetest"
)

func bearer(key string) Credential { return Credential{header: "Bearer " + key} }

// setup is what a test may change of a gate that asks a Discord.
type setup struct {
	discord DiscordOptions
	gate    GateOptions
	byUser  bool
}

// newDiscord is a gate that asks f.
func newDiscord(t testing.TB, f *edgetest.Discord, change ...func(*setup)) *Gate {
	t.Helper()
	s := setup{discord: DiscordOptions{BaseURL: f.Base() + "/", BotToken: edgetest.DiscordBotToken}}
	for _, change := range change {
		change(&s)
	}
	d, err := NewDiscord(s.discord)
	if err != nil {
		t.Fatal(err)
	}
	members := d.ByBot()
	if s.byUser {
		members = d.ByUser()
	}
	g, err := NewGate(d, members, s.gate)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(g.Close)
	return g
}

func TestRefusalsInTheirOrder(t *testing.T) {
	d := newDiscord(t, edgetest.StartDiscord(t))
	for _, test := range []struct {
		key   string
		guild uint64
		want  error
	}{
		{"user1", 100, nil},
		{"nobody", 100, ErrUnauthorized},
		{"nobody", 999, ErrUnauthorized}, // before the guild is looked at
		{"user1", 999, ErrInvalidGuild},  // Unknown Guild
		{"user1", 102, ErrInvalidGuild},  // Missing Access
		{"user1", 101, ErrNotMember},     // Unknown Member
		{"user2", 100, ErrNotMember},     // Unknown User
	} {
		if _, err := d.Authorize(t.Context(), test.guild, bearer(test.key)); err != test.want {
			t.Errorf("%s in %d: %v, want %v", test.key, test.guild, err, test.want)
		}
	}
}

// onPath answers only the calls whose path contains part.
func onPath(part string, f func(w http.ResponseWriter)) func(http.ResponseWriter, *http.Request) bool {
	return func(w http.ResponseWriter, r *http.Request) bool {
		if !strings.Contains(r.URL.Path, part) {
			return false
		}
		f(w)
		return true
	}
}

func TestTroubleUpstreamIsNoRefusal(t *testing.T) {
	html := func(status int) func(http.ResponseWriter) {
		return func(w http.ResponseWriter) {
			w.Header().Set("Content-Type", "text/html; charset=UTF-8")
			w.WriteHeader(status)
			_, _ = w.Write([]byte("<!DOCTYPE html><title>Access denied | discord.com used Cloudflare</title>"))
		}
	}
	json := func(status int, body string) func(http.ResponseWriter) {
		return func(w http.ResponseWriter) { edgetest.Reply(w, status, body) }
	}
	for _, test := range []struct {
		name   string
		answer func(http.ResponseWriter)
		paths  []string
	}{
		{"500", json(500, `{"message":"500: Internal Server Error","code":0}`), nil},
		{"503 HTML", html(503), nil},
		{"403 HTML", html(403), nil},
		{"200 HTML", html(200), nil},
		{"401 HTML", html(401), nil},
		{"200 not JSON", json(200, `{"id":`), nil},
		{"200 without id", json(200, `{"username":"nelly"}`), []string{"/users/@me"}},
		{"302", func(w http.ResponseWriter) { w.Header().Set("Location", "/"); w.WriteHeader(302) }, nil},
		{"404 of no known code", json(404, `{"message":"404: Not Found","code":0}`), nil},
		{"bot token refused", json(401, `{"message":"401: Unauthorized","code":0}`), []string{"/members/"}},
		{"cut off", func(http.ResponseWriter) { panic(http.ErrAbortHandler) }, nil},
	} {
		paths := test.paths
		if paths == nil {
			paths = []string{"/users/@me", "/members/"}
		}
		for _, path := range paths {
			t.Run(test.name+path, func(t *testing.T) {
				f := edgetest.StartDiscord(t)
				f.Answer(onPath(path, test.answer))
				d := newDiscord(t, f)
				_, err := d.Authorize(t.Context(), 100, bearer("user1"))
				var unavailable *Unavailable
				if !errors.As(err, &unavailable) || unavailable.RetryAfter != defaultRetry {
					t.Errorf("%v", err)
				}
				f.Answer(nil)
				if _, err := d.Authorize(t.Context(), 100, bearer("user1")); err != nil {
					t.Errorf("afterwards: %v", err)
				}
			})
		}
	}
}

func TestHangingUpstream(t *testing.T) {
	f := edgetest.StartDiscord(t)
	f.Answer(func(_ http.ResponseWriter, r *http.Request) bool { <-r.Context().Done(); return true })
	d := newDiscord(t, f, func(s *setup) { s.discord.Timeout = 50 * time.Millisecond })
	_, err := d.Authorize(t.Context(), 100, bearer("user1"))
	var unavailable *Unavailable
	if !errors.As(err, &unavailable) || !errors.Is(err, context.DeadlineExceeded) {
		t.Error(err)
	}
	f.Close()
	if _, err := d.Authorize(t.Context(), 100, bearer("user1")); !errors.As(err, &unavailable) {
		t.Error(err)
	}
}

func TestRetryAfterIsHonoured(t *testing.T) {
	limited := func(header http.Header, contentType, body string) func(http.ResponseWriter) {
		return func(w http.ResponseWriter) {
			w.Header().Set("Content-Type", contentType)
			for name, values := range header {
				w.Header()[name] = values
			}
			w.WriteHeader(429)
			_, _ = w.Write([]byte(body))
		}
	}
	const ofUser = `{"message": "You are being rate limited.", "retry_after": 64.57, "global": false}`
	user := http.Header{"Retry-After": {"65"}, "X-Ratelimit-Scope": {"user"}}
	global := http.Header{"Retry-After": {"65"}, "X-Ratelimit-Scope": {"global"}, "X-Ratelimit-Global": {"true"}}
	for _, test := range []struct {
		name   string
		path   string
		answer func(http.ResponseWriter)
		want   time.Duration
		closed []string // who is not asked about any more, "user guild"
		open   []string // who still is
	}{
		{"a user's", "/users/@me", limited(user, "application/json", ofUser), 64570 * time.Millisecond,
			[]string{"user1 100"}, []string{"user3 100"}},
		{"a guild's", "/guilds/100/", limited(user, "application/json", ofUser), 64570 * time.Millisecond,
			[]string{"user1 100", "user3 100"}, []string{"user1 101"}},
		{"the bot's", "/guilds/100/", limited(global, "application/json", ofUser), 64570 * time.Millisecond,
			[]string{"user1 100", "user1 101"}, nil},
		{"the address'", "/users/@me", limited(http.Header{"Retry-After": {"30"}}, "text/html", "<html>banned"), 30 * time.Second,
			[]string{"user1 100", "user3 101"}, nil},
		{"by nobody knows what", "/users/@me", limited(nil, "application/json", `{}`), defaultRetry,
			[]string{"user1 100"}, nil},
		{"for ever", "/users/@me", limited(nil, "application/json", `{"retry_after":1e300}`), maxRetry,
			[]string{"user1 100"}, nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			f := edgetest.StartDiscord(t)
			d := newDiscord(t, f)
			authorize := func(who string) error {
				key, guild, _ := strings.Cut(who, " ")
				id := map[string]uint64{"100": 100, "101": 101}[guild]
				_, err := d.Authorize(t.Context(), id, bearer(key))
				return err
			}
			f.Answer(onPath(test.path, test.answer))
			var unavailable *Unavailable
			if err := authorize("user1 100"); !errors.As(err, &unavailable) || unavailable.RetryAfter != test.want {
				t.Fatalf("%v, want %s", err, test.want)
			}
			f.Answer(nil)
			for _, who := range test.closed {
				before := f.Asked(test.path)
				err := authorize(who)
				if !errors.As(err, &unavailable) || unavailable.RetryAfter > test.want || unavailable.RetryAfter < test.want-10*time.Second {
					t.Errorf("%s: %v", who, err)
				}
				if f.Asked(test.path) != before {
					t.Errorf("%s: asked while closed", who)
				}
			}
			for _, who := range test.open {
				if err := authorize(who); err != nil && err != ErrNotMember {
					t.Errorf("%s: %v", who, err)
				}
			}
		})
	}
}

func TestKnownUsersAreUnaffectedByTrouble(t *testing.T) {
	f := edgetest.StartDiscord(t)
	d := newDiscord(t, f)
	if _, err := d.Authorize(t.Context(), 100, bearer("user1")); err != nil {
		t.Fatal(err)
	}
	f.Answer(func(w http.ResponseWriter, _ *http.Request) bool { w.WriteHeader(503); return true })
	if _, err := d.Authorize(t.Context(), 100, bearer("user1")); err != nil {
		t.Error(err)
	}
}

func TestBadOptions(t *testing.T) {
	for _, options := range []DiscordOptions{
		{BaseURL: "discord.com", BotToken: "a"},
		{BaseURL: "ftp://discord.com", BotToken: "a"},
		{BaseURL: "https://discord.com", BotToken: "a\n"},
	} {
		if _, err := NewDiscord(options); err == nil {
			t.Errorf("%q, %q: accepted", options.BaseURL, options.BotToken)
		}
	}
}
