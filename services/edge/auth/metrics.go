package auth

import (
	"strconv"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"
)

// newAsked counts calls of Discord's API by their answers.
func newAsked(in prometheus.Registerer) *prometheus.CounterVec {
	asked := promauto.With(in).NewCounterVec(prometheus.CounterOpts{
		Name: "pona_edge_discord_requests_total", Help: "Calls of Discord's API, by the answer's status; none where no answer came.",
	}, []string{"status"})
	for _, status := range []int{0, 200, 401, 403, 404, 429, 500} {
		asked.WithLabelValues(statusLabel(status))
	}
	return asked
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
