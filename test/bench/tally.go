package main

import (
	"slices"
	"time"
)

// tally counts what a crowd is delivered in one emission.
type tally struct {
	run       int
	delivered int
	repeated  int // sequences that came again, or late
	latency   []int64
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
func (t *tally) add(s stamp, next int, at int64) int {
	if s.run != t.run {
		return next
	}
	if s.sequence < next {
		t.repeated++
		return next
	}
	t.delivered++
	t.latency = append(t.latency, at-s.at)
	return s.sequence + 1
}

// percentile is the latency that p of 100 deliveries did not exceed.
func (t *tally) percentile(p int) time.Duration {
	if len(t.latency) == 0 {
		return 0
	}
	slices.Sort(t.latency)
	return time.Duration(t.latency[min(len(t.latency)*p/100, len(t.latency)-1)])
}
