package main

import (
	"math"
	"time"
)

// trend is the straight line of least squares through the second half of a series; the first half is
// where caches, queues and heaps fill up.
type trend struct {
	values     int           // in the second half
	start, end float64       // of the line
	mean       float64       // of the second half
	doubt      float64       // standard error of end - start
	took       time.Duration // of the second half
}

// limit is what a trend may grow by; both must be exceeded, and be more than chance, to be a leak.
type limit struct {
	share    float64 // of the mean
	absolute float64 // in the series' unit
}

// enough is how many values the second half of a series must have: of fewer, housekeeping cannot be told from a leak.
const enough = 20

// fit draws the line through values that were taken every so often. Neighbours that resemble each other, as in
// a saw-tooth of the garbage collector or where the number of clients wanders, count as fewer values
// than they are: n(1-r)/(1+r), where r is the correlation of each residual with the next. Where no more than three remain,
// nothing can be said, and doubt is infinite.
func fit(values []float64, every time.Duration) trend {
	half := values[len(values)/2:]
	n := float64(len(half))
	if n < 4 {
		return trend{values: len(half), doubt: math.Inf(1)}
	}
	middle, mean := (n-1)/2, 0.0
	for _, v := range half {
		mean += v / n
	}
	var squares, products float64
	for i, v := range half {
		x := float64(i) - middle
		squares += x * x
		products += x * (v - mean)
	}
	slope := products / squares
	var errors, neighbours, last float64
	for i, v := range half {
		residual := v - mean - slope*(float64(i)-middle)
		errors += residual * residual
		neighbours += residual * last
		last = residual
	}
	t := trend{values: len(half), start: mean - slope*middle, end: mean + slope*middle, mean: mean, took: time.Duration(n-1) * every}
	if errors < 1e-12*mean*mean {
		return t // on the line
	}
	r := max(neighbours/errors, 0)
	count := n * (1 - r) / (1 + r)
	if count <= 3 {
		t.doubt = math.Inf(1)
		return t
	}
	t.doubt = (n - 1) * math.Sqrt(errors/(count-2)/squares)
	return t
}

// growth is the line's end less its start.
func (t trend) growth() float64 { return t.end - t.start }

// perHour is the slope.
func (t trend) perHour() float64 {
	if t.took == 0 {
		return 0
	}
	return t.growth() / t.took.Hours()
}

// leaks says whether the series grows: by more than four standard errors, which chance reaches in one of
// some thousand series, and by more than the limit.
func (t trend) leaks(l limit) bool { return t.growth() > 4*t.doubt && t.exceeds(l) }

// exceeds says whether the line rises by more than a share of what the series is, which a leak reaches in a run that is
// long enough, and by more than an amount below which a program's own housekeeping is.
func (t trend) exceeds(l limit) bool { return t.growth() > l.share*t.mean && t.growth() > l.absolute }

// tooShort says that nothing can be said: there are too few values, or the line rises by too much, among values that resemble
// each other so that they count as hardly any.
func (t trend) tooShort(l limit) bool {
	return t.values < enough || math.IsInf(t.doubt, 1) && t.exceeds(l)
}
