package scenario

import (
	"fmt"
	"sync/atomic"
	"time"

	"github.com/pona-realtime/pona/test/load/stamp"
)

// tally counts what a crowd is delivered of one emission.
type tally struct {
	run       atomic.Int64 // of the stamps that count; 0: none do
	delivered atomic.Int64
	repeated  atomic.Int64 // came again, or after a later one
	latency   *distribution
}

// begin starts counting an emission.
func (t *tally) begin(run int, latency *distribution) {
	t.latency = latency
	t.delivered.Store(0)
	t.repeated.Store(0)
	t.run.Store(int64(run))
}

// add counts an event that a member has got; its reader calls it. Events of a room are in order.
func (t *tally) add(m *member, s stamp.Stamp, at int64) {
	if int64(s.Run) != t.run.Load() {
		return
	}
	if m.run != s.Run {
		m.run, m.next = s.Run, 0
	}
	if s.Sequence < m.next {
		t.repeated.Add(1)
		return
	}
	m.next = s.Sequence + 1
	t.delivered.Add(1)
	t.latency.record(m.number, time.Duration(at-s.At))
}

// addDeliveries adds what was counted to the run's figures. Where nothing came at all, nothing was measured.
func (c *crowd) addDeliveries(expected int64) error {
	delivered := c.tally.delivered.Load()
	c.figure("expected", float64(expected))
	c.figure("delivered", float64(delivered))
	c.figure("lost", float64(expected-delivered))
	c.figure("repeated_or_late", float64(c.tally.repeated.Load()))
	if expected > 0 && delivered == 0 {
		return fmt.Errorf("none of %d deliveries came: who emits reaches nobody", expected)
	}
	return nil
}
