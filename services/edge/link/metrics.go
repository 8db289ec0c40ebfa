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

	// The hops of an event, and all of them together.
	stream prometheus.Observer // published by the bot → stored
	fanout prometheus.Observer // stored → given to the stream of this edge
	link   prometheus.Observer // given to it → received here
	edge   prometheus.Observer // received → written to the last listener's socket
	whole  prometheus.Observer // published → written
}

func newMeasured(in prometheus.Registerer) *measured {
	make := promauto.With(in)
	hops := make.NewHistogramVec(prometheus.HistogramOpts{
		Name: "pona_edge_event_latency_seconds", Buckets: metrics.Latency,
		Help: "Time of a stored event on its way to listeners of this edge, whole and by hop: stream, from the bot until it is stored (clocks of the bot and of NATS); " +
			"fanout, until the fanout gives it to the edge's stream (of NATS and the fanout); link, until it comes here (of the fanout and this edge); " +
			"edge, until the last listener's socket has been written to; whole, all of that (of the bot and this edge). Of clocks that differ, less than nothing is 0. " +
			"What then waits for a poll, for a client that does not read, or for TLS of the edge's own, counts as written.",
	}, []string{"hop"})
	return &measured{
		fanouts: make.NewGauge(prometheus.GaugeOpts{Name: "pona_edge_fanouts_connected", Help: "Fanouts whose stream is open."}),
		batches: make.NewHistogram(prometheus.HistogramOpts{
			Name: "pona_edge_batch_events", Buckets: metrics.Counts, Help: "Events that came from a fanout in one batch.",
		}),
		stream: hops.WithLabelValues("stream"),
		fanout: hops.WithLabelValues("fanout"),
		link:   hops.WithLabelValues("link"),
		edge:   hops.WithLabelValues("edge"),
		whole:  hops.WithLabelValues("whole"),
	}
}

// A time of publishing that is none of the last hour is no time at all: a bot may count in milliseconds. A clock may
// be ahead of ours a little.
const (
	mostAge   = time.Hour
	mostAhead = time.Minute
)

// written measures an event that came in a batch, when it is called: when the event has been written to its
// listeners, if there are any. What is not known is not measured. It is nil for a position, which is not stored.
func (m *measured) written(d *edgev1.Delivery, publishedAtNs, sentAtNs int64, came time.Time) func(sockets, bytes int) {
	if d.GetSequence() == 0 {
		return nil
	}
	storedAtNs := d.GetStoredAtNs()
	return func(sockets, _ int) {
		if sockets == 0 {
			return
		}
		now := time.Now()
		published, stored, sent := time.Unix(0, publishedAtNs), time.Unix(0, storedAtNs), time.Unix(0, sentAtNs)
		m.edge.Observe(now.Sub(came).Seconds())
		if publishedAtNs > 0 && came.Sub(published) < mostAge && published.Sub(came) < mostAhead {
			m.whole.Observe(metrics.Since(published, now))
			if storedAtNs > 0 {
				m.stream.Observe(metrics.Since(published, stored))
			}
		}
		if storedAtNs > 0 && sentAtNs > 0 {
			m.fanout.Observe(metrics.Since(stored, sent))
			m.link.Observe(metrics.Since(sent, came))
		}
	}
}
