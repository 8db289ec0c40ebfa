package main

import (
	"testing"
	"time"

	"github.com/pona-realtime/pona/test/load/stamp"
)

func TestTallyCountsEachSequenceOnce(t *testing.T) {
	c := &crowd{members: []*member{{next: 9}}}
	c.begin(2, 10)
	next := c.members[0].next
	for _, sequence := range []int{0, 1, 4, 3, 4, 5} {
		next = c.tally.add(stamp.Stamp{At: 100, Run: 2, Sequence: sequence}, next, 100+int64(sequence))
	}
	next = c.tally.add(stamp.Stamp{Run: 1, Sequence: 90}, next, 0) // of a run before
	if next != 6 || c.tally.delivered != 4 || c.tally.repeated != 2 {
		t.Errorf("waits for %d, %+v", next, c.tally)
	}
}

func TestPercentile(t *testing.T) {
	var c tally
	if got := c.percentile(50); got != 0 {
		t.Errorf("of nothing: %v", got)
	}
	for i := range 200 {
		c.latency = append(c.latency, int64(200-i))
	}
	for p, want := range map[int]time.Duration{0: 1, 50: 101, 99: 199, 100: 200} {
		if got := c.percentile(p); got != want {
			t.Errorf("p%d is %d, want %d", p, got, want)
		}
	}
}

func TestMedianAndCell(t *testing.T) {
	c := column{"", "%.1f", known(func(o outcome) float64 { return o.CPU })}
	for _, test := range []struct {
		values []float64
		want   string
	}{
		{[]float64{3}, "3.0"},
		{[]float64{5, 1, 3}, "3.0 (1.0–5.0)"},
		{[]float64{4, 1}, "2.5 (1.0–4.0)"},
	} {
		var runs []outcome
		for _, v := range test.values {
			runs = append(runs, outcome{CPU: v})
		}
		if got := c.cell(runs); got != test.want {
			t.Errorf("%v: %s, want %s", test.values, got, test.want)
		}
	}
	unknown := column{"", "%.1f", func(outcome) (float64, bool) { return 0, false }}
	if got := unknown.cell([]outcome{{}}); got != "n/a" {
		t.Errorf("unknown: %s", got)
	}
}
