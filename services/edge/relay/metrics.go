package relay

import (
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"
)

// measured is what the relay counts.
type measured struct {
	requests *prometheus.CounterVec
	tunnels  prometheus.Gauge
}

func newMeasured(in prometheus.Registerer) *measured {
	m := &measured{
		requests: promauto.With(in).NewCounterVec(prometheus.CounterOpts{
			Name: "pona_edge_relayed_requests_total", Help: "Requests for sessions of other edges that came to this one.",
		}, []string{"transport"}),
		tunnels: promauto.With(in).NewGauge(prometheus.GaugeOpts{
			Name: "pona_edge_relayed_websockets", Help: "WebSockets that this edge carries to the edges that have their sessions.",
		}),
	}
	for _, transport := range []string{"polling", "websocket"} {
		m.requests.WithLabelValues(transport) // 0 is a value
	}
	return m
}
