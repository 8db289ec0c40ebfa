package edgetest

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
)

// DiscordBotToken is the token of the bot that [Discord] knows.
const DiscordBotToken = "bottoken"

// Discord answers as Discord's API does, with its paths, JSON bodies and headers. It knows the
// credentials "Bearer user<n>" for the users 1 to 9; guild 100, which user 1 is a member of; guild 101,
// without members; and guild 102, which the bot may not see.
type Discord struct {
	*httptest.Server
	mu    sync.Mutex
	calls map[string]int                                           // by path
	next  func(w http.ResponseWriter, r *http.Request) (done bool) // answers instead, if it wants
}

// StartDiscord starts a Discord, which ends with the test.
func StartDiscord(t testing.TB) *Discord {
	f := &Discord{calls: make(map[string]int)}
	f.Server = httptest.NewServer(http.HandlerFunc(f.serve))
	t.Cleanup(f.Close)
	return f
}

func (f *Discord) serve(w http.ResponseWriter, r *http.Request) {
	f.mu.Lock()
	f.calls[r.URL.Path]++
	next := f.next
	f.mu.Unlock()
	if next != nil && next(w, r) {
		return
	}
	authorization := r.Header.Get("Authorization")
	var guild, user uint64
	if r.URL.Path == "/api/v10/users/@me" {
		name, isBearer := strings.CutPrefix(authorization, "Bearer user")
		if !isBearer || len(name) != 1 {
			Reply(w, 401, `{"message": "401: Unauthorized", "code": 0}`)
			return
		}
		Reply(w, 200, `{"id":"`+name+`","username":"nelly","discriminator":"0","global_name":null,"mfa_enabled":true,"flags":64}`)
		return
	}
	if n, _ := fmt.Sscanf(r.URL.Path, "/api/v10/guilds/%d/members/%d", &guild, &user); n != 2 {
		Reply(w, 404, `{"message": "404: Not Found", "code": 0}`)
		return
	}
	switch {
	case authorization != "Bot "+DiscordBotToken:
		Reply(w, 401, `{"message": "401: Unauthorized", "code": 0}`)
	case guild == 100 && user == 1:
		Reply(w, 200, `{"user":{"id":"1","username":"nelly"},"nick":null,"roles":[],"joined_at":"2015-04-26T06:26:56.936000+00:00","deaf":false,"mute":false}`)
	case guild == 100 && user == 2:
		Reply(w, 404, `{"message": "Unknown User", "code": 10013}`)
	case guild == 100, guild == 101:
		Reply(w, 404, `{"message": "Unknown Member", "code": 10007}`)
	case guild == 102:
		Reply(w, 403, `{"message": "Missing Access", "code": 50001}`)
	default:
		Reply(w, 404, `{"message": "Unknown Guild", "code": 10004}`)
	}
}

// Reply answers as Discord's API does.
func Reply(w http.ResponseWriter, status int, body string) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("X-RateLimit-Limit", "5")
	w.Header().Set("X-RateLimit-Remaining", "4")
	w.Header().Set("X-RateLimit-Bucket", "abcd1234")
	w.WriteHeader(status)
	_, _ = w.Write([]byte(body))
}

// Base is what an edge's discord-url must be.
func (f *Discord) Base() string { return f.URL + "/api/v10" }

// Answer makes every answer to come this one, nil the usual ones again.
func (f *Discord) Answer(next func(w http.ResponseWriter, r *http.Request) bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.next = next
}

// Asked counts the calls to paths that contain part.
func (f *Discord) Asked(part string) (n int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for path, calls := range f.calls {
		if strings.Contains(path, part) {
			n += calls
		}
	}
	return n
}
