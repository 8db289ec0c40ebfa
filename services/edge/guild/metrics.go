package guild

import (
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"

	"github.com/pona-realtime/pona/pkg/metrics"
)

// measured is what the cache counts: a hit is a listener that did not have to wait for a snapshot.
type measured struct{ hits, misses, restarts prometheus.Counter }

func (c *Cache) measure(in prometheus.Registerer) measured {
	promauto.With(in).NewGaugeFunc(prometheus.GaugeOpts{
		Name: "pona_edge_guilds", Help: "Guilds whose state is kept: they have listeners, or had some a moment ago.",
	}, func() float64 { return float64(c.Len()) })
	return measured{
		hits:   metrics.CacheRequests(in, "guild", "hit"),
		misses: metrics.CacheRequests(in, "guild", "miss"),
		restarts: promauto.With(in).NewCounter(prometheus.CounterOpts{
			Name: "pona_edge_guild_restarts_total", Help: "Times that a guild's listeners got a new handshake, because events were missed.",
		}),
	}
}
