package link

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"

	"github.com/pona-realtime/pona/pkg/metrics"
	edgev1 "github.com/pona-realtime/pona/proto/pona/edge/v1"
)

// measured is what the links count.
type measured struct {
	fanouts prometheus.Gauge
	batches prometheus.Histogram
	toEdge  prometheus.Observer // stored → received here
	inEdge  prometheus.Observer // received → written to the last listener's socket
	whole   prometheus.Observer // published by the bot → written
	before  prometheus.Observer // published → stored
}

func newMeasured(in prometheus.Registerer) *measured {
	make := promauto.With(in)
	hops := make.NewHistogramVec(prometheus.HistogramOpts{
		Name: "pona_edge_event_latency_seconds", Buckets: metrics.Latency,
		Help: "Time of an event on its way: from the bot to the stream, from there to this edge, from there into the sockets, and the whole.",
	}, []string{"hop"})
	return &measured{
		fanouts: make.NewGauge(prometheus.GaugeOpts{Name: "pona_edge_fanouts_connected", Help: "Fanouts whose stream is open."}),
		batches: make.NewHistogram(prometheus.HistogramOpts{
			Name: "pona_edge_batch_events", Buckets: metrics.Counts, Help: "Events that came from a fanout in one batch.",
		}),
		before: hops.WithLabelValues("stream"),
		toEdge: hops.WithLabelValues("fanout"),
		inEdge: hops.WithLabelValues("edge"),
		whole:  hops.WithLabelValues("whole"),
	}
}

// delivered measures an event that came and has been given to its listeners now. A position is not
// stored, and an event may not say when it was published: what is unknown is not measured.
func (m *measured) delivered(d *edgev1.Delivery, publishedAtNs int64, came time.Time) {
	now := time.Now()
	m.inEdge.Observe(now.Sub(came).Seconds())
	published, stored := time.Unix(0, publishedAtNs), time.Unix(0, d.GetStoredAtNs())
	if publishedAtNs > 0 {
		m.whole.Observe(metrics.Since(published, now))
	}
	if d.GetStoredAtNs() > 0 {
		m.toEdge.Observe(metrics.Since(stored, came))
		if publishedAtNs > 0 {
			m.before.Observe(metrics.Since(published, stored))
		}
	}
}
