package app

import (
	"github.com/prometheus/client_golang/prometheus"

	"github.com/pona-realtime/pona/pkg/metrics"
	"github.com/pona-realtime/pona/services/edge/auth"
)

// What an authenticator that remembers counts; see auth.Stats.
var (
	usersFound    = metrics.CacheCounter("user", "hit")
	usersMissed   = metrics.CacheCounter("user", "miss")
	membersFound  = metrics.CacheCounter("membership", "hit")
	membersMissed = metrics.CacheCounter("membership", "miss")
	remembered    = metrics.Gauge("pona_edge_auth_entries", "Answers remembered.", "cache")
	questions     = metrics.Counter("pona_edge_auth_questions_total", "What became of questions that memory did not answer: found in Redis, asked upstream, of these refused or failed, and answered from memory though no longer fresh.", "cache", "outcome")
)

// authStats is a collector of what a gate counts.
type authStats func() auth.Stats

// Describe lists all the metrics above.
func (authStats) Describe(out chan<- *prometheus.Desc) {
	for _, f := range []metrics.Family{usersFound, usersMissed, membersFound, membersMissed, remembered, questions} {
		out <- f.Desc
	}
}

// Collect reads the gate's counters.
func (read authStats) Collect(out chan<- prometheus.Metric) {
	s := read()
	usersFound.Is(out, float64(s.Users.Hits))
	usersMissed.Is(out, float64(s.Users.Misses))
	membersFound.Is(out, float64(s.Members.Hits))
	membersMissed.Is(out, float64(s.Members.Misses))
	for cache, m := range map[string]auth.MemoryStats{"user": s.Users, "membership": s.Members} {
		remembered.Is(out, float64(m.Entries), cache)
		for outcome, n := range map[string]int64{"shared": m.Shared, "asked": m.Asked, "refused": m.Refused, "failed": m.Failed, "stale": m.Stale} {
			questions.Is(out, float64(n), cache, outcome)
		}
	}
}
