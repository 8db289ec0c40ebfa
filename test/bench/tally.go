package main

import (
	"slices"
	"time"

	"github.com/pona-realtime/pona/test/load/stamp"
)

// tally counts what a crowd is delivered in one emission.
type tally struct {
	run       int
	delivered int
	repeated  int // sequences that came again, or late
	latency   []int64
	answers   []int64 // how long questions took, see crowd.ask
}

// begin starts the count of a run of which about n deliveries are expected.
func (c *crowd) begin(run, n int) {
	c.tally = tally{run: run, latency: make([]int64, 0, n)}
	for _, m := range c.members {
		m.next = 0
	}
}

// add counts one event at a member that waits for the sequence next, and says what it waits for
// then. A member gets the events of its guild in order.
func (t *tally) add(s stamp.Stamp, next int, at int64) int {
	if s.Run != t.run {
		return next
	}
	if s.Sequence < next {
		t.repeated++
		return next
	}
	t.delivered++
	t.latency = append(t.latency, at-s.At)
	return s.Sequence + 1
}

// percentile is the latency that p of 100 deliveries did not exceed.
func (t *tally) percentile(p int) time.Duration { return percentile(t.latency, p) }

// percentile sorts, and returns the value that p of 100 did not exceed; 0 of none.
func percentile(ns []int64, p int) time.Duration {
	if len(ns) == 0 {
		return 0
	}
	slices.Sort(ns)
	return time.Duration(ns[min(len(ns)*p/100, len(ns)-1)])
}
