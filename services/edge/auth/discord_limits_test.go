package auth

import (
	"errors"
	"fmt"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/pona-realtime/pona/pkg/metrics"
	"github.com/pona-realtime/pona/services/edge/edgetest"
)

// wantHeldBack expects so many calls not to have been made, all for one cause.
func wantHeldBack(t testing.TB, in prometheus.Gatherer, cause string, want int) {
	t.Helper()
	const name = "pona_edge_discord_held_back_total"
	now := metrics.Read(in)
	if is, all := now.Sum(name, "cause", cause), now.Sum(name); is != float64(want) || all != is {
		t.Errorf("held back: %v for %s of %v, want %d", is, cause, all, want)
	}
}

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
	counted := prometheus.NewRegistry()
	g := newDiscord(t, f, func(s *setup) { s.discord.Timeout, s.discord.Metrics = 200*time.Millisecond, counted })
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
	wantHeldBack(t, counted, "limit", 1)
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
	counted := prometheus.NewRegistry()
	g := newDiscord(t, f, func(s *setup) { s.discord.Invalid, s.discord.Metrics = most, counted })
	left := func() float64 { return metrics.Read(counted).Sum("pona_edge_discord_invalid_left") }
	if budget := metrics.Read(counted).Sum("pona_edge_discord_invalid_budget"); budget != float64(most/2) || left() != budget {
		t.Errorf("of a budget of %v invalid calls %v are left", budget, left())
	}
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
	wantHeldBack(t, counted, "budget", putOff)
	if n := metrics.Read(counted).Sum("pona_edge_discord_invalid_requests_total"); n != float64(invalid) {
		t.Errorf("%d calls were invalid, and %v are counted", invalid, n)
	}
	if left() >= float64(most/10) {
		t.Errorf("%v invalid calls are left", left())
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
			counted := prometheus.NewRegistry()
			g := newDiscord(t, f, func(s *setup) { s.discord.Timeout, s.discord.Metrics = 200*time.Millisecond, counted }) // each must get there
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
			wantHeldBack(t, counted, "breaker", 20-breakAfter)
		})
	}
}
