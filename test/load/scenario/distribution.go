package scenario

import (
	"sync"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"

	"github.com/pona-realtime/pona/test/load/report"
)

// Durations are kept in µs, from one to ten minutes, with three digits.
const (
	longest = int64(10 * time.Minute / time.Microsecond)
	digits  = 3
)

// distribution collects durations from many goroutines.
type distribution struct {
	name   string
	shards [4]struct {
		sync.Mutex
		histogram *hdrhistogram.Histogram
	}
}

func newDistribution(name string) *distribution {
	d := &distribution{name: name}
	for i := range d.shards {
		d.shards[i].histogram = hdrhistogram.New(1, longest, digits)
	}
	return d
}

// record adds a duration; number spreads who records at the same time.
func (d *distribution) record(number int, v time.Duration) {
	shard := &d.shards[number%len(d.shards)]
	shard.Lock()
	defer shard.Unlock()
	_ = shard.histogram.RecordValue(min(max(v.Microseconds(), 1), longest)) // cannot be out of range
}

// percentiles of the plotted curve.
var percentiles = []float64{0, 10, 25, 50, 75, 90, 95, 99, 99.9, 100}

// result is what has been collected; ok is false where that is nothing.
func (d *distribution) result() (report.Distribution, bool) {
	all := hdrhistogram.New(1, longest, digits)
	for i := range d.shards {
		d.shards[i].Lock()
		all.Merge(d.shards[i].histogram)
		d.shards[i].Unlock()
	}
	if all.TotalCount() == 0 {
		return report.Distribution{}, false
	}
	ms := func(us int64) float64 { return float64(us) / 1000 }
	r := report.Distribution{
		Name: d.name, Count: all.TotalCount(), Mean: all.Mean() / 1000, Min: ms(all.Min()), Max: ms(all.Max()),
		P50: ms(all.ValueAtQuantile(50)), P90: ms(all.ValueAtQuantile(90)), P99: ms(all.ValueAtQuantile(99)), P999: ms(all.ValueAtQuantile(99.9)),
	}
	for _, p := range percentiles {
		r.Points = append(r.Points, report.Point{Percentile: p, Ms: ms(all.ValueAtQuantile(p))})
	}
	return r, true
}

// reasons counts what went wrong.
type reasons struct {
	mu    sync.Mutex
	count map[string]int
}

// maxReasons bounds how many are told apart.
const maxReasons = 50

func (r *reasons) add(text string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.count == nil {
		r.count = map[string]int{}
	}
	if _, known := r.count[text]; !known && len(r.count) >= maxReasons {
		text = "other"
	}
	r.count[text]++
}
