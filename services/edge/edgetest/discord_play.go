package edgetest

import (
	"net/http"
	"strings"
	"time"
)

// Reply answers as Discord's API does.
func Reply(w http.ResponseWriter, status int, body string) {
	header := w.Header()
	header.Set("Content-Type", "application/json")
	header.Set("X-RateLimit-Bucket", "abcd1234")
	if header.Get("X-RateLimit-Limit") == "" {
		header.Set("X-RateLimit-Limit", "5")
		header.Set("X-RateLimit-Remaining", "4")
	}
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

// Late makes every answer to come this much later.
func (f *Discord) Late(by time.Duration) {
	f.Answer(func(_ http.ResponseWriter, r *http.Request) bool {
		select {
		case <-time.After(by):
		case <-r.Context().Done():
		}
		return false
	})
}

// Limit allows each guild and each credential so many calls in a window, and says so in headers.
func (f *Discord) Limit(calls int, window time.Duration) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.limit, f.window, f.buckets = calls, window, make(map[string]*discordBucket)
}

// Remove takes a user out of a guild.
func (f *Discord) Remove(guild, user uint64) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.removed[[2]uint64{guild, user}] = true
}

// Expire says when every token ends.
func (f *Discord) Expire(at time.Time) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.expires = at
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

// Invalid counts the answers that Discord would hold against the address: 401, 403 and 429.
func (f *Discord) Invalid() int { return int(f.invalid.Load()) }
