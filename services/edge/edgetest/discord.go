package edgetest

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// What [Discord] knows.
const (
	DiscordBotToken    = "bottoken" // of the bot
	DiscordApplication = 4242       // that "user" tokens are issued to
)

// Discord answers as Discord's API does, with its paths, JSON bodies and headers. It knows the credentials
// "Bearer user<id>", and "Bearer other<id>" as issued to another application. User 1 is a member of
// guild 100; guild 101 has no members; the bot may not see guild 102; in guilds from 1000 on everybody is a
// member who has not been removed.
type Discord struct {
	*httptest.Server
	mu      sync.Mutex
	calls   map[string]int                                           // by path
	next    func(w http.ResponseWriter, r *http.Request) (done bool) // answers instead, if it wants
	removed map[[2]uint64]bool                                       // guild, user
	expires time.Time                                                // of every token
	invalid atomic.Int64
	limit   int // calls in each window of a bucket; 0 means no limit
	window  time.Duration
	buckets map[string]*discordBucket
}

type discordBucket struct {
	used  int
	reset time.Time
}

// StartDiscord starts a Discord, which ends with the test.
func StartDiscord(t testing.TB) *Discord {
	f := &Discord{calls: make(map[string]int), removed: make(map[[2]uint64]bool), expires: time.Now().Add(7 * 24 * time.Hour)}
	f.Server = httptest.NewServer(http.HandlerFunc(f.serve))
	t.Cleanup(f.Close)
	return f
}

func (f *Discord) serve(w http.ResponseWriter, r *http.Request) {
	path, _ := strings.CutPrefix(r.URL.Path, "/api/v10")
	f.mu.Lock()
	f.calls[path]++
	next := f.next
	f.mu.Unlock()
	counted := &countingWriter{ResponseWriter: w, f: f}
	if next != nil && next(counted, r) || !f.within(counted, r, path) {
		return
	}
	authorization := r.Header.Get("Authorization")
	kind, user := userOf(authorization)
	var guild, asked uint64
	switch {
	case path == "/users/@me" && kind != "":
		Reply(counted, 200, fmt.Sprintf(`{"id":"%d","username":"nelly","discriminator":"0","global_name":null,"mfa_enabled":true,"flags":64}`, user))
	case path == "/oauth2/@me" && kind != "":
		application := DiscordApplication
		if kind == "other" {
			application++
		}
		f.mu.Lock()
		expires := f.expires
		f.mu.Unlock()
		Reply(counted, 200, fmt.Sprintf(`{"application":{"id":"%d","name":"Pona","bot_public":true},"scopes":["identify"],"expires":%q,"user":{"id":"%d","username":"nelly"}}`,
			application, expires.UTC().Format("2006-01-02T15:04:05.000000+00:00"), user))
	case scan(path, "/users/@me/guilds/%d/member", &guild) && kind != "":
		f.member(counted, guild, user, false)
	case scan(path, "/guilds/%d/members/%d", &guild, &asked) && authorization == "Bot "+DiscordBotToken:
		f.member(counted, guild, asked, true)
	default:
		Reply(counted, 401, `{"message": "401: Unauthorized", "code": 0}`)
	}
}

func scan(path, format string, into ...any) bool {
	n, err := fmt.Sscanf(path, format, into...)
	return err == nil && n == len(into)
}

func userOf(authorization string) (kind string, user uint64) {
	name, _ := strings.CutPrefix(authorization, "Bearer ")
	for _, kind := range []string{"user", "other"} {
		if digits, is := strings.CutPrefix(name, kind); is {
			if id, err := strconv.ParseUint(digits, 10, 64); err == nil && id > 0 {
				return kind, id
			}
		}
	}
	return "", 0
}

func (f *Discord) member(w http.ResponseWriter, guild, user uint64, asBot bool) {
	f.mu.Lock()
	removed := f.removed[[2]uint64{guild, user}]
	f.mu.Unlock()
	switch {
	case !removed && (guild == 100 && user == 1 || guild >= 1000):
		Reply(w, 200, fmt.Sprintf(`{"user":{"id":"%d","username":"nelly"},"nick":null,"roles":[],"joined_at":"2015-04-26T06:26:56.936000+00:00","deaf":false,"mute":false}`, user))
	case !asBot:
		Reply(w, 404, `{"message": "Unknown Guild", "code": 10004}`)
	case guild == 100 && user == 2:
		Reply(w, 404, `{"message": "Unknown User", "code": 10013}`)
	case guild == 100, guild == 101, removed:
		Reply(w, 404, `{"message": "Unknown Member", "code": 10007}`)
	case guild == 102:
		Reply(w, 403, `{"message": "Missing Access", "code": 50001}`)
	default:
		Reply(w, 404, `{"message": "Unknown Guild", "code": 10004}`)
	}
}

// within counts a call against its bucket, the guild's or the credential's, and answers it where that is empty.
func (f *Discord) within(w http.ResponseWriter, r *http.Request, path string) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.limit == 0 {
		return true
	}
	name := r.Header.Get("Authorization")
	if rest, is := strings.CutPrefix(path, "/guilds/"); is {
		name, _, _ = strings.Cut(rest, "/")
	}
	b, now := f.buckets[name], time.Now()
	if b == nil || now.After(b.reset) {
		b = &discordBucket{reset: now.Add(f.window)}
		f.buckets[name] = b
	}
	after := time.Until(b.reset).Seconds()
	w.Header().Set("X-RateLimit-Reset-After", fmt.Sprintf("%.3f", after))
	w.Header().Set("X-RateLimit-Limit", strconv.Itoa(f.limit))
	if b.used++; b.used > f.limit {
		w.Header().Set("Retry-After", strconv.Itoa(int(after)+1))
		w.Header().Set("X-RateLimit-Scope", "user")
		w.Header().Set("X-RateLimit-Remaining", "0")
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(http.StatusTooManyRequests)
		_, _ = fmt.Fprintf(w, `{"message": "You are being rate limited.", "retry_after": %.3f, "global": false}`, after)
		return false
	}
	w.Header().Set("X-RateLimit-Remaining", strconv.Itoa(f.limit-b.used))
	return true
}

// countingWriter counts the answers that Discord holds against an address.
type countingWriter struct {
	http.ResponseWriter
	f *Discord
}

func (w *countingWriter) WriteHeader(status int) {
	if status == http.StatusUnauthorized || status == http.StatusForbidden || status == http.StatusTooManyRequests {
		w.f.invalid.Add(1)
	}
	w.ResponseWriter.WriteHeader(status)
}

// Unwrap is for http.ResponseController.
func (w *countingWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }
