package auth

import (
	"strconv"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"
)

// measured is what a [Discord] counts.
type measured struct {
	asked                  *prometheus.CounterVec // by statusLabel
	invalid                prometheus.Counter
	budget, breaker, limit prometheus.Counter // calls not made, by what held them back
}

// measure counts calls of Discord's API, those not made among them, and shows what is left of the budget.
func measure(in prometheus.Registerer, budget *budget) *measured {
	make := promauto.With(in)
	m := &measured{
		asked: make.NewCounterVec(prometheus.CounterOpts{
			Name: "pona_edge_discord_requests_total", Help: "Calls of Discord's API, by the answer's status; none where no answer came.",
		}, []string{"status"}),
		invalid: make.NewCounter(prometheus.CounterOpts{
			Name: "pona_edge_discord_invalid_requests_total",
			Help: "Calls that Discord counts as invalid: answered with 401, 403, or 429 for a limit not shared with others.",
		}),
	}
	for _, status := range []int{0, 200, 401, 403, 404, 429, 500} {
		m.asked.WithLabelValues(statusLabel(status))
	}
	heldBack := make.NewCounterVec(prometheus.CounterOpts{
		Name: "pona_edge_discord_held_back_total",
		Help: "Calls not made, for which users heard \"temporarily unavailable\" unless an older answer served: the budget of invalid calls is spent, calls failed several times in a row, or Discord's limits leave none in time.",
	}, []string{"cause"})
	m.budget, m.breaker, m.limit = heldBack.WithLabelValues("budget"), heldBack.WithLabelValues("breaker"), heldBack.WithLabelValues("limit")
	make.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "pona_edge_discord_invalid_budget", Help: "Invalid calls that this edge may make at once: half of discord-invalid, and as many again come back within ten minutes.",
	}, func() float64 { return float64(budget.spent.Burst()) })
	make.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "pona_edge_discord_invalid_left", Help: "Invalid calls that are left of pona_edge_discord_invalid_budget now.",
	}, budget.left)
	return m
}

// statusLabel is a status as the label has it: those that mean something to us, and classes.
func statusLabel(status int) string {
	switch status {
	case 0:
		return "none"
	case 200, 401, 403, 404, 429:
		return strconv.Itoa(status)
	}
	return strconv.Itoa(status/100) + "xx"
}
