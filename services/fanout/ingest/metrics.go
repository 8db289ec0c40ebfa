package ingest

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"

	"github.com/pona-realtime/pona/pkg/metrics"
)

// measured is what the server counts.
type measured struct {
	events *prometheus.CounterVec
	took   prometheus.Histogram
}

func newMeasured(in prometheus.Registerer) *measured {
	m := &measured{
		events: promauto.With(in).NewCounterVec(prometheus.CounterOpts{
			Name: "pona_fanout_published_events_total", Help: "Events of bots, by what became of them; those of a refused request count as one.",
		}, []string{"outcome"}),
		took: promauto.With(in).NewHistogram(prometheus.HistogramOpts{
			Name: "pona_fanout_store_duration_seconds", Buckets: metrics.Latency, Help: "Time NATS took to store an event.",
		}),
	}
	for _, outcome := range []string{"stored", "duplicate", "position", "refused", "failed"} {
		m.events.WithLabelValues(outcome)
	}
	return m
}

func (m *measured) stored(began time.Time, duplicate bool) {
	m.took.Observe(time.Since(began).Seconds())
	if duplicate {
		m.count("duplicate")
	} else {
		m.count("stored")
	}
}

func (m *measured) count(outcome string) { m.events.WithLabelValues(outcome).Inc() }
