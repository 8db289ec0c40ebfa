package route

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"

	"github.com/pona-realtime/pona/pkg/metrics"
	edgev1 "github.com/pona-realtime/pona/proto/pona/edge/v1"
)

// measured is what the server counts.
type measured struct {
	batches   prometheus.Histogram
	latency   prometheus.Histogram
	bytes     prometheus.Counter
	conflated prometheus.Counter
	cut       prometheus.Counter
}

func (s *Server) measure(in prometheus.Registerer) *measured {
	make := promauto.With(in)
	make.NewGaugeFunc(prometheus.GaugeOpts{Name: "pona_fanout_edges", Help: "Edges whose stream is open."},
		func() float64 { edges, _ := s.waiting(); return float64(edges) })
	make.NewGaugeFunc(prometheus.GaugeOpts{Name: "pona_fanout_route_queue_bytes", Help: "Bytes that wait for edges, or are under way to them."},
		func() float64 { _, bytes := s.waiting(); return float64(bytes) })
	return &measured{
		batches: make.NewHistogram(prometheus.HistogramOpts{
			Name: "pona_fanout_batch_events", Buckets: metrics.Counts, Help: "Events sent to an edge in one batch.",
		}),
		latency: make.NewHistogram(prometheus.HistogramOpts{
			Name: "pona_fanout_event_latency_seconds", Buckets: metrics.Latency, Help: "Time from an event's storing to its sending to an edge.",
		}),
		bytes: make.NewCounter(prometheus.CounterOpts{
			Name: "pona_fanout_sent_bytes_total", Help: "Bytes of events and snapshots sent to edges.",
		}),
		conflated: make.NewCounter(prometheus.CounterOpts{
			Name: "pona_fanout_conflated_positions_total", Help: "Positions that a newer one replaced while they waited.",
		}),
		cut: make.NewCounter(prometheus.CounterOpts{
			Name: "pona_fanout_slow_edges_cut_total", Help: "Streams ended because too much waited for their edge.",
		}),
	}
}

// sent measures a message that gRPC has taken.
func (m *measured) sent(batch *edgev1.Batch, size int) {
	m.bytes.Add(float64(size))
	if batch == nil {
		return
	}
	m.batches.Observe(float64(len(batch.GetDeliveries())))
	now := time.Now()
	for _, d := range batch.GetDeliveries() {
		if at := d.GetStoredAtNs(); at > 0 {
			m.latency.Observe(metrics.Since(time.Unix(0, at), now))
		}
	}
}

// waiting is how many edges there are, and how many bytes wait for them.
func (s *Server) waiting() (edges, bytes int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for e := range s.edges {
		e.mu.Lock()
		bytes += e.bytes
		e.mu.Unlock()
	}
	return len(s.edges), bytes
}
