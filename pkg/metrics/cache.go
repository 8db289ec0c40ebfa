package metrics

import (
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"
)

const (
	cacheName = "pona_edge_cache_requests_total"
	cacheHelp = "Look-ups in the edge's caches; of namespaces, those of guilds."
)

func cacheLabels(cache, outcome string) prometheus.Labels {
	return prometheus.Labels{"cache": cache, "outcome": outcome}
}

// CacheRequests counts look-ups in an edge's cache by outcome, "hit" or "miss". Caches of several
// packages share the family.
func CacheRequests(in prometheus.Registerer, cache, outcome string) prometheus.Counter {
	return promauto.With(in).NewCounter(prometheus.CounterOpts{Name: cacheName, Help: cacheHelp, ConstLabels: cacheLabels(cache, outcome)})
}

// CacheCounter is CacheRequests for a cache that counts by itself.
func CacheCounter(cache, outcome string) Family {
	return Family{prometheus.NewDesc(cacheName, cacheHelp, nil, cacheLabels(cache, outcome)), prometheus.CounterValue}
}
