package gateway

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/pona-realtime/pona/pkg/metrics"
)

// measured is what the gateway counts.
type measured struct {
	took     prometheus.Histogram
	answered *prometheus.CounterVec
}

func newMeasured(in prometheus.Registerer) *measured {
	m := &measured{
		took: promauto.With(in).NewHistogram(prometheus.HistogramOpts{
			Name: "pona_edge_command_duration_seconds", Buckets: metrics.Latency,
			Help: "Time from a command's leaving this edge to its answer, or to giving up.",
		}),
		answered: promauto.With(in).NewCounterVec(prometheus.CounterOpts{
			Name: "pona_edge_commands_total", Help: "Commands of clients, by what became of them.",
		}, []string{"outcome"}),
	}
	for _, outcome := range []string{outcomeAnswered, outcomeRefused, "no bot", "no answer", "failed"} {
		m.answered.WithLabelValues(outcome) // 0 is a value
	}
	return m
}

const (
	outcomeAnswered = "answered" // by the bot, whatever it said
	outcomeRefused  = "refused"  // by this edge, for its size or number
)

func (m *measured) dispatched(began time.Time, err error) {
	m.took.Observe(time.Since(began).Seconds())
	m.count(err)
}

// count counts a command by what became of it.
func (m *measured) count(err error) {
	outcome := "failed"
	switch status.Code(err) {
	case codes.OK:
		outcome = outcomeAnswered
	case codes.Unavailable:
		outcome = "no bot"
	case codes.DeadlineExceeded:
		outcome = "no answer"
	}
	m.answered.WithLabelValues(outcome).Inc()
}
