package commands

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/pona-realtime/pona/pkg/metrics"
)

// measured is what the server counts.
type measured struct {
	took     prometheus.Histogram
	commands *prometheus.CounterVec
}

func (s *Server) measure(in prometheus.Registerer) *measured {
	make := promauto.With(in)
	make.NewGaugeFunc(prometheus.GaugeOpts{Name: "pona_fanout_bots", Help: "Bots that take commands from this fanout."},
		func() float64 { return float64(s.registry.len()) })
	m := &measured{
		took: make.NewHistogram(prometheus.HistogramOpts{
			Name: "pona_fanout_command_duration_seconds", Buckets: metrics.Latency, Help: "Time from an edge's command to its answer.",
		}),
		commands: make.NewCounterVec(prometheus.CounterOpts{
			Name: "pona_fanout_commands_total", Help: "Commands of edges, by what became of them.",
		}, []string{"outcome"}),
	}
	for _, outcome := range []string{"answered", "no bot", "no answer", "refused", "failed"} {
		m.commands.WithLabelValues(outcome)
	}
	return m
}

func (m *measured) dispatched(began time.Time, err error) {
	m.took.Observe(time.Since(began).Seconds())
	outcome := "failed"
	switch status.Code(err) {
	case codes.OK:
		outcome = "answered"
	case codes.Unavailable:
		outcome = "no bot"
	case codes.DeadlineExceeded:
		outcome = "no answer"
	case codes.InvalidArgument, codes.ResourceExhausted, codes.AlreadyExists:
		outcome = "refused"
	}
	m.commands.WithLabelValues(outcome).Inc()
}
