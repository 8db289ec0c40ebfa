package admission

import (
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"testing"
	"testing/synctest"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/pona-realtime/pona/services/edge/edgetest"
)

// edge is an edge's admission on that Redis, "" for none.
func edge(t *testing.T, url string, o Options) *Admission {
	t.Helper()
	if url != "" {
		options, err := redis.ParseURL(url)
		if err != nil {
			t.Fatal(err)
		}
		options.DialerRetries, options.MaxRetries = 1, -1
		client := redis.NewClient(options)
		t.Cleanup(func() { _ = client.Close() })
		o.Redis = client
	}
	return New(o)
}

// wantJoin lets a socket in, or expects it to be refused for that.
func wantJoin(t *testing.T, a *Admission, guildID, userID uint64, cause string) (leave func()) {
	t.Helper()
	before := uint64(0)
	if cause != "" {
		before = a.Refused(cause)
	}
	leave, err := a.Join(t.Context(), guildID, userID)
	var refusal *Refusal
	switch {
	case cause == "" && err != nil:
		t.Fatalf("guild %d, user %d: %v", guildID, userID, err)
	case cause != "" && (!errors.As(err, &refusal) || refusal.Cause != cause || refusal.RetryAfter <= 0):
		t.Fatalf("guild %d, user %d: %v, want %s", guildID, userID, err, cause)
	case cause != "" && a.Refused(cause) != before+1:
		t.Errorf("%s: not counted", cause)
	}
	return leave
}

func TestSocketsOfAUser(t *testing.T) {
	a := edge(t, "", Options{UserSockets: 2})
	leave := wantJoin(t, a, 1, 7, "")
	wantJoin(t, a, 2, 7, "")
	wantJoin(t, a, 3, 7, "user")
	wantJoin(t, a, 3, 8, "")
	leave()
	leave() // once is enough
	wantJoin(t, a, 3, 7, "")
	wantJoin(t, a, 3, 7, "user")
}

func TestAnEdgeAloneCountsItsOwn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := edge(t, "", Options{GuildSockets: 3, GuildRate: 2})
		wantJoin(t, a, 1, 1, "")
		leave := wantJoin(t, a, 1, 2, "")
		wantJoin(t, a, 1, 3, "guild rate")
		time.Sleep(time.Second)
		wantJoin(t, a, 1, 3, "")
		wantJoin(t, a, 1, 4, "guild")
		wantJoin(t, a, 2, 4, "")
		leave()
		wantJoin(t, a, 1, 4, "")
	})
}

func TestAClusterCountsTogether(t *testing.T) {
	url := edgetest.StartRedis(t)
	a, b := edge(t, url, Options{Edge: "a", GuildSockets: 3}), edge(t, url, Options{Edge: "b", GuildSockets: 3})
	leave := wantJoin(t, a, 1, 1, "")
	wantJoin(t, a, 1, 2, "")
	wantJoin(t, b, 1, 3, "")
	wantJoin(t, b, 1, 4, "guild")
	wantJoin(t, a, 1, 4, "guild")
	wantJoin(t, b, 2, 4, "")
	leave()
	a.shared.tell(t.Context(), a.departures()) // as Run does every second
	wantJoin(t, b, 1, 4, "")
	wantJoin(t, b, 1, 5, "guild")

	a, b = edge(t, url, Options{Edge: "a", GuildRate: 3}), edge(t, url, Options{Edge: "b", GuildRate: 3})
	for range 4 { // the second may end in between
		_, _ = a.Join(t.Context(), 9, 1)
		_, _ = b.Join(t.Context(), 9, 1)
	}
	if n := a.Refused("guild rate") + b.Refused("guild rate"); n < 2 || n > 5 {
		t.Errorf("%d of 8 were refused", n)
	}
}

func TestWithoutItsRedisAnEdgeDecidesAlone(t *testing.T) {
	a := edge(t, "redis://127.0.0.1:1", Options{GuildSockets: 2})
	wantJoin(t, a, 1, 1, "")
	wantJoin(t, a, 1, 2, "")
	wantJoin(t, a, 1, 3, "guild")
}

func TestHandshakesArePaced(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		proxies, err := ParseProxies([]string{"10.0.0.0/8", "::1"})
		if err != nil {
			t.Fatal(err)
		}
		a := edge(t, "", Options{Rate: 10, AddressRate: 2, Proxies: proxies})
		defer a.addresses.StopAllGoroutines()
		handler := a.Handshakes(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
		begin := func(query, peer, forwarded string) *httptest.ResponseRecorder {
			r := httptest.NewRequest(http.MethodGet, "/socket.io/?EIO=4&transport=polling"+query, nil)
			r.RemoteAddr = peer
			if forwarded != "" {
				r.Header.Set("X-Forwarded-For", forwarded)
			}
			w := httptest.NewRecorder()
			handler.ServeHTTP(w, r)
			return w
		}
		want := func(w *httptest.ResponseRecorder, code int) {
			t.Helper()
			if w.Code != code {
				t.Errorf("answered %d, want %d", w.Code, code)
			}
		}
		for _, forwarded := range []string{"192.0.2.1", "203.0.113.9, 192.0.2.1", "192.0.2.1, 10.3.3.3"} {
			code := http.StatusOK
			if forwarded == "192.0.2.1, 10.3.3.3" {
				code = http.StatusServiceUnavailable // the third of one address
			}
			want(begin("", "10.1.2.3:5", forwarded), code)
		}
		want(begin("&sid=x", "10.1.2.3:5", "192.0.2.1"), http.StatusOK) // of a session that is there
		for range 2 {
			want(begin("", "192.0.2.7:1", "192.0.2.1"), http.StatusOK) // no proxy: what it forwards is not believed
		}
		w := begin("", "192.0.2.7:1", "192.0.2.9")
		want(w, http.StatusServiceUnavailable)
		var body struct {
			Message      string
			RetryAfterMs int64
		}
		if err := json.Unmarshal(w.Body.Bytes(), &body); err != nil || body.RetryAfterMs < 1000 || body.RetryAfterMs >= 2000 || w.Header().Get("Retry-After") != "2" {
			t.Errorf("refused with %s, Retry-After %s", w.Body, w.Header().Get("Retry-After"))
		}
		for i := range 6 {
			want(begin("", "192.0.3."+string(rune('1'+i))+":1", ""), http.StatusOK)
		}
		want(begin("", "192.0.4.1:1", ""), http.StatusServiceUnavailable) // of all together
		if a.Refused("rate") != 1 || a.Refused("address") != 2 {
			t.Errorf("%d and %d were refused", a.Refused("rate"), a.Refused("address"))
		}
		time.Sleep(time.Second)
		want(begin("", "192.0.4.1:1", ""), http.StatusOK)
	})
}

func TestParseProxies(t *testing.T) {
	if _, err := ParseProxies([]string{"10.0.0.0/8", "fd00::/8", "192.0.2.1"}); err != nil {
		t.Error(err)
	}
	for _, text := range []string{"", "10.0.0.0/33", "proxy"} {
		if _, err := ParseProxies([]string{text}); err == nil {
			t.Errorf("%q: accepted", text)
		}
	}
}
