// Package metrics is what Pona's services have in common in being measured: a registry, its two
// pages, and a line in the log.
//
// Names follow prometheus.io/docs/practices/naming: pona_edge_… and pona_fanout_… for what one
// service has, pona_… for what all have; seconds and bytes, _total for what only grows. A label's
// values are known before a program starts (reasons, transports, outcomes), never a guild or a user.
package metrics

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"

	"github.com/pona-realtime/pona/pkg/settings"
)

// NewRegistry makes a registry that holds Go's and the process' metrics, and pona_build_info.
func NewRegistry(program string, build settings.Build) *prometheus.Registry {
	r := prometheus.NewRegistry()
	r.MustRegister(
		collectors.NewGoCollector(),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name: "pona_build_info", Help: "What runs; always 1.",
			ConstLabels: prometheus.Labels{"program": program, "version": build.Version, "commit": build.Commit, "go": build.Go},
		}, func() float64 { return 1 }),
	)
	return r
}

// Latency are the buckets of latencies, in seconds: 100 µs to 10 s.
var Latency = []float64{.0001, .00025, .0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10}

// Counts are the buckets of how many things went together.
var Counts = []float64{1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024}

// Since is the time from one moment to another in seconds, for a histogram. Clocks of two machines
// differ: what seems to have come before it was sent counts as 0.
func Since(sent, came time.Time) float64 { return max(came.Sub(sent).Seconds(), 0) }

// Family is a metric whose values are read when somebody looks, not counted here.
type Family struct {
	Desc *prometheus.Desc
	kind prometheus.ValueType
}

// Counter describes a Family of what only grows.
func Counter(name, help string, labels ...string) Family {
	return Family{prometheus.NewDesc(name, help, labels, nil), prometheus.CounterValue}
}

// Gauge describes a Family of what is now.
func Gauge(name, help string, labels ...string) Family {
	return Family{prometheus.NewDesc(name, help, labels, nil), prometheus.GaugeValue}
}

// Is sends a value, with the labels' values in the order of their names.
func (f Family) Is(out chan<- prometheus.Metric, value float64, labels ...string) {
	out <- prometheus.MustNewConstMetric(f.Desc, f.kind, value, labels...)
}
