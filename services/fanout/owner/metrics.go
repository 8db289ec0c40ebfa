package owner

import (
	"slices"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"
)

// measured is what the owner counts.
type measured struct {
	takeovers prometheus.Histogram
	lost      prometheus.Counter
	oversize  prometheus.Counter
	tooOld    prometheus.Counter
}

func (o *Owner) measure(in prometheus.Registerer) *measured {
	make := promauto.With(in)
	make.NewGaugeFunc(prometheus.GaugeOpts{Name: "pona_fanout_partitions_owned", Help: "Partitions whose events this fanout delivers."},
		func() float64 { return float64(len(o.Owned())) })
	make.NewGaugeFunc(prometheus.GaugeOpts{Name: "pona_fanout_partitions", Help: "Partitions of the event stream."},
		func() float64 { return float64(o.count) })
	make.NewGaugeFunc(prometheus.GaugeOpts{Name: "pona_fanout_peers", Help: "Other fanouts that live."},
		func() float64 { return float64(len(o.Peers())) })
	return &measured{
		takeovers: make.NewHistogram(prometheus.HistogramOpts{
			Name: "pona_fanout_takeover_duration_seconds", Help: "Time from a partition's lease to its first delivery.",
			Buckets: []float64{.005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30},
		}),
		lost: make.NewCounter(prometheus.CounterOpts{
			Name: "pona_fanout_leases_lost_total", Help: "Leases that ran out, or were given to another, while partitions were delivered.",
		}),
		oversize: make.NewCounter(prometheus.CounterOpts{
			Name: "pona_fanout_oversize_checkpoints_total", Help: "Checkpoints of guilds whose state is larger than the NATS server's max_payload allows.",
		}),
		tooOld: make.NewCounter(prometheus.CounterOpts{
			Name: "pona_fanout_mirror_too_old_total",
			Help: "Events that were not mirrored, because they were stored 5 s or more before they came; after a takeover the owner before has mirrored most of them.",
		}),
	}
}

// Owned are the partitions that are delivered now, in rising order.
func (o *Owner) Owned() []uint32 {
	o.mu.Lock()
	defer o.mu.Unlock()
	owned := []uint32{}
	for number, t := range o.held {
		if t.announced {
			owned = append(owned, number)
		}
	}
	slices.Sort(owned)
	return owned
}
