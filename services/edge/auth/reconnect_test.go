package auth

import (
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/pona-realtime/pona/services/edge/edgetest"
)

// reconnect has sockets of users come at once, spread over guilds, and fails the test for each that is not let in.
func reconnect(t testing.TB, g *Gate, sockets, users, guilds int) {
	t.Helper()
	var all sync.WaitGroup
	var once sync.Once
	for socket := range sockets {
		all.Go(func() {
			user := socket % users
			guild := uint64(1000 + user%guilds) //nolint:gosec // small
			if _, err := g.Authorize(t.Context(), guild, bearer(fmt.Sprint("user", user+1))); err != nil {
				once.Do(func() { t.Error(err) })
			}
		})
	}
	all.Wait()
}

// patient lets a machine that is busy with other tests take its time.
func patient(s *setup) { s.discord.Timeout = time.Minute }

// TestReconnectingUsersCostOneQuestionEach is also there with real sockets: package app's BenchmarkReconnect.
func TestReconnectingUsersCostOneQuestionEach(t *testing.T) {
	const sockets, users, guilds = 2000, 100, 20
	f := edgetest.StartDiscord(t)
	f.Limit(5, 10*time.Millisecond) // of each guild and each token
	g := newDiscord(t, f, patient)
	for round := range 2 {
		reconnect(t, g, sockets, users, guilds)
		if u, m := f.Asked("/users/@me"), f.Asked("/guilds/"); u > users || m > users {
			t.Errorf("round %d: asked %d times who it is and %d times for members, want %d at most", round, u, m, users)
		}
	}
	if n := f.Invalid(); n != 0 {
		t.Errorf("%d calls were too many", n)
	}
	s := g.Stats()
	for cache, m := range map[string]MemoryStats{"users": s.Users, "members": s.Members} {
		// Who waits for a question that another asked is a miss, and costs nothing.
		if free := 1 - float64(m.Asked)/float64(m.Hits+m.Misses); free <= 0.95 {
			t.Errorf("%s: %.3f of the questions cost nothing: %+v", cache, free, m)
		}
	}
}

func TestARollingRestartCostsNoQuestions(t *testing.T) {
	const sockets, users, guilds = 1000, 100, 20
	f, client := edgetest.StartDiscord(t), startRedis(t)
	started := func() *Gate {
		g := newDiscord(t, f, sharing(client, "k"), patient)
		g.users.shared.timeout = time.Minute // both memories'
		return g
	}
	reconnect(t, started(), sockets, users, guilds)
	before := f.Asked("")
	reconnect(t, started(), sockets, users, guilds)
	if n := f.Asked("") - before; n != 0 || before != 2*users {
		t.Errorf("%d questions, and %d after the restart", before, n)
	}
}

// BenchmarkJoin is how long it takes to be authorized with a Discord that takes 100 ms, at p50.
func BenchmarkJoin(b *testing.B) {
	f := edgetest.StartDiscord(b)
	f.Late(100 * time.Millisecond)
	g := newDiscord(b, f)
	var took [2][]time.Duration
	for b.Loop() {
		user := len(took[0]) + 1
		for visit := range took {
			began := time.Now()
			if _, err := g.Authorize(b.Context(), uint64(1000+user), bearer(fmt.Sprint("user", user))); err != nil { //nolint:gosec // small
				b.Fatal(err)
			}
			took[visit] = append(took[visit], time.Since(began))
		}
	}
	for visit, name := range []string{"unknown-p50-µs", "known-p50-µs"} {
		slices.Sort(took[visit])
		b.ReportMetric(float64(took[visit][len(took[visit])/2].Nanoseconds())/1e3, name)
	}
}
