package auth

import (
	"errors"
	"fmt"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/pona-realtime/pona/services/edge/edgetest"
)

// TestBucketsAreNotOverdrawn has more members of one guild come at once than Discord answers for in one window.
func TestBucketsAreNotOverdrawn(t *testing.T) {
	f := edgetest.StartDiscord(t)
	f.Limit(5, 200*time.Millisecond)
	g := newDiscord(t, f)
	var all sync.WaitGroup
	for user := range 20 {
		all.Go(func() {
			if _, err := g.Authorize(t.Context(), 1000, bearer(fmt.Sprint("user", user+1))); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	if n := f.Invalid(); n != 0 {
		t.Errorf("%d calls were too many", n)
	}
	if n := f.Asked("/guilds/"); n != 20 {
		t.Errorf("%d members asked for, want 20", n)
	}
}

func TestWhoWouldWaitTooLongIsToldToComeBack(t *testing.T) {
	f := edgetest.StartDiscord(t)
	f.Limit(1, time.Minute)
	g := newDiscord(t, f, func(s *setup) { s.discord.Timeout = 200 * time.Millisecond })
	if _, err := g.Authorize(t.Context(), 1000, bearer("user1")); err != nil {
		t.Fatal(err)
	}
	_, err := g.Authorize(t.Context(), 1000, bearer("user2"))
	var unavailable *Unavailable
	if !errors.As(err, &unavailable) || unavailable.RetryAfter < 30*time.Second || unavailable.RetryAfter > time.Minute {
		t.Error(err)
	}
	if n := f.Invalid(); n != 0 {
		t.Errorf("%d calls were too many", n)
	}
	if _, err := g.Authorize(t.Context(), 1001, bearer("user3")); err != nil {
		t.Errorf("another guild: %v", err)
	}
}

// TestBadTokensStayUnderTheBudget is also there with 50 000; see BenchmarkBadTokens.
func TestBadTokensStayUnderTheBudget(t *testing.T) {
	badTokens(t, 300, 100)
}

func BenchmarkBadTokens(b *testing.B) {
	for b.Loop() {
		b.ReportMetric(float64(badTokens(b, 50_000, 1000)), "invalid")
	}
}

// badTokens has that many tokens come that Discord does not know, and gives how many calls that cost.
func badTokens(t testing.TB, tokens, most int) int {
	f := edgetest.StartDiscord(t)
	g := newDiscord(t, f, func(s *setup) { s.discord.Invalid = most })
	if _, err := g.Authorize(t.Context(), 1000, bearer("user1")); err != nil {
		t.Fatal(err)
	}
	var all sync.WaitGroup
	var mu sync.Mutex
	refused, putOff := 0, 0
	for worker := range 32 {
		all.Go(func() {
			for i := worker; i < tokens; i += 32 {
				_, err := g.Authorize(t.Context(), 1000, bearer(fmt.Sprint("bad", i)))
				var unavailable *Unavailable
				mu.Lock()
				switch {
				case err == ErrUnauthorized:
					refused++
				case errors.As(err, &unavailable) && unavailable.RetryAfter > 0:
					putOff++
				default:
					t.Errorf("token %d: %v", i, err)
				}
				mu.Unlock()
			}
		})
	}
	all.Wait()
	invalid := f.Invalid()
	if invalid >= most || invalid != refused || refused == 0 || putOff == 0 {
		t.Errorf("%d refused with %d invalid calls, %d put off; must be below %d", refused, invalid, putOff, most)
	}
	if _, err := g.Authorize(t.Context(), 1000, bearer("user1")); err != nil {
		t.Errorf("a known user afterwards: %v", err)
	}
	return invalid
}

func TestAStormOf429KeepsKnownUsersIn(t *testing.T) {
	f := edgetest.StartDiscord(t)
	g := newDiscord(t, f, func(s *setup) { s.gate.Cache.TTL = time.Nanosecond })
	const users = 50
	join := func(from, to int) (in, later int) {
		for user := from; user <= to; user++ {
			_, err := g.Authorize(t.Context(), 1000, bearer(fmt.Sprint("user", user)))
			var unavailable *Unavailable
			switch {
			case err == nil:
				in++
			case errors.As(err, &unavailable) && unavailable.RetryAfter > 0:
				later++
			default:
				t.Error(err)
			}
		}
		return in, later
	}
	if in, _ := join(1, users); in != users {
		t.Fatalf("%d of %d users are in", in, users)
	}
	f.Answer(func(w http.ResponseWriter, _ *http.Request) bool {
		w.Header().Set("Retry-After", "60")
		w.Header().Set("X-RateLimit-Scope", "global")
		w.Header().Set("X-RateLimit-Global", "true")
		edgetest.Reply(w, 429, `{"message":"You are being rate limited.","retry_after":60,"global":true}`)
		return true
	})
	for range 3 {
		if in, _ := join(1, users); in != users {
			t.Errorf("%d of %d known users are in", in, users)
		}
	}
	if _, later := join(users+1, users+10); later != 10 {
		t.Errorf("%d of 10 others are told to come back", later)
	}
	if n := f.Invalid(); n > 2*users+10 {
		t.Errorf("%d calls were invalid", n)
	}
}

func TestAFailingDiscordIsLeftAlone(t *testing.T) {
	for name, trouble := range map[string]func(w http.ResponseWriter, r *http.Request){
		"5xx":  func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(502) },
		"HTML": func(w http.ResponseWriter, _ *http.Request) { edgetest.Reply(w, 200, "<html>") },
		"hang": func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() },
	} {
		t.Run(name, func(t *testing.T) {
			f := edgetest.StartDiscord(t)
			f.Answer(func(w http.ResponseWriter, r *http.Request) bool { trouble(w, r); return true })
			g := newDiscord(t, f, func(s *setup) { s.discord.Timeout = 200 * time.Millisecond }) // each must get there
			for user := range 20 {
				_, err := g.Authorize(t.Context(), 1000, bearer(fmt.Sprint("user", user+1)))
				var unavailable *Unavailable
				if !errors.As(err, &unavailable) || unavailable.RetryAfter < time.Second || unavailable.RetryAfter > breakFor {
					t.Error(err)
				}
			}
			if n := f.Asked(""); n != breakAfter {
				t.Errorf("asked %d times, want %d", n, breakAfter)
			}
		})
	}
}
