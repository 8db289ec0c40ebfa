package metrics

import (
	"iter"
	"slices"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"
)

// Reading is what a registry held at one moment.
type Reading struct{ families map[string]*dto.MetricFamily }

// Read gathers everything. What a collector could not say is not in it.
func Read(from prometheus.Gatherer) Reading {
	families, _ := from.Gather() // what there is is returned beside an error
	r := Reading{make(map[string]*dto.MetricFamily, len(families))}
	for _, f := range families {
		r.families[f.GetName()] = f
	}
	return r
}

// Sum adds a family's values, of those whose labels are the given ones (name, value, …). Of a
// histogram it is the sum of what was observed. A family that is not there is 0.
func (r Reading) Sum(name string, labels ...string) (sum float64) {
	for m := range r.of(name, labels) {
		sum += m.GetCounter().GetValue() + m.GetGauge().GetValue() + m.GetHistogram().GetSampleSum()
	}
	return sum
}

// Count is how often a histogram was observed.
func (r Reading) Count(name string, labels ...string) (count float64) {
	for m := range r.of(name, labels) {
		count += float64(m.GetHistogram().GetSampleCount())
	}
	return count
}

// MeanSince is the mean of what a histogram observed after the earlier reading; 0 for nothing.
func (r Reading) MeanSince(earlier Reading, name string, labels ...string) float64 {
	return Ratio(r.Sum(name, labels...)-earlier.Sum(name, labels...), r.Count(name, labels...)-earlier.Count(name, labels...))
}

// By adds a family's values by one label's.
func (r Reading) By(label, name string, labels ...string) map[string]float64 {
	by := map[string]float64{}
	for m := range r.of(name, labels) {
		for _, pair := range m.GetLabel() {
			if pair.GetName() == label {
				by[pair.GetValue()] += m.GetCounter().GetValue() + m.GetGauge().GetValue()
			}
		}
	}
	return by
}

// BySince is By of what has been added after the earlier reading.
func (r Reading) BySince(earlier Reading, label, name string, labels ...string) map[string]float64 {
	by := r.By(label, name, labels...)
	for value, before := range earlier.By(label, name, labels...) {
		by[value] -= before
	}
	return by
}

// Labels yields each label of a family's series, a pair of name and value as often as there are series that have it.
func (r Reading) Labels(name string) iter.Seq2[string, string] {
	return func(yield func(string, string) bool) {
		for m := range r.of(name, nil) {
			for _, pair := range m.GetLabel() {
				if !yield(pair.GetName(), pair.GetValue()) {
					return
				}
			}
		}
	}
}

func (r Reading) of(name string, labels []string) func(func(*dto.Metric) bool) {
	return func(yield func(*dto.Metric) bool) {
		for _, m := range r.families[name].GetMetric() {
			if matches(m, labels) && !yield(m) {
				return
			}
		}
	}
}

func matches(m *dto.Metric, labels []string) bool {
	for want := range slices.Chunk(labels, 2) {
		if !slices.ContainsFunc(m.GetLabel(), func(p *dto.LabelPair) bool { return p.GetName() == want[0] && p.GetValue() == want[1] }) {
			return false
		}
	}
	return true
}

// Ratio is a part of a whole; 0 where there is no whole.
func Ratio(part, whole float64) float64 {
	if whole <= 0 {
		return 0
	}
	return part / whole
}
