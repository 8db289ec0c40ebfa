package scenario

import (
	"context"
	"sync/atomic"
	"time"

	"github.com/pona-realtime/pona/test/load/client"
)

// namespaces has clients go from one namespace to the next, over the same connection.
func namespaces(ctx context.Context, r *run) error {
	r.title("%d clients over %s switch namespaces %d times each, among %v", r.clients, r.Transport, r.Switches, r.Namespace)
	c := r.newCrowd("")
	defer c.disperse()
	if err := c.gather(ctx, r.clients); err != nil {
		return err
	}
	took := r.distribution("switch")
	var switched atomic.Int64
	r.watchRate("switches", switched.Load)
	began := time.Now()
	n := len(c.members) * r.Switches
	err := c.each(ctx, "members that switch", len(c.members), 0, func(i int) {
		m := c.members[i]
		for step := range r.Switches {
			from, to := r.Namespace[step%len(r.Namespace)], r.Namespace[(step+1)%len(r.Namespace)]
			left := time.Now()
			err := m.client.Leave(fill(from, m.number))
			if err == nil {
				_, err = m.client.Join(ctx, fill(to, m.number), fill(r.Auth, m.number), client.Resumption{})
			}
			if ctx.Err() != nil {
				return
			}
			if err != nil {
				r.failures.add("switch to " + to + ": " + err.Error())
				return
			}
			took.record(m.number, time.Since(left))
			switched.Add(1)
		}
	})
	r.result.Figures.Add("switches_expected", float64(n))
	r.result.Figures.Add("switches", float64(switched.Load()))
	r.result.Figures.Add("switches_per_s", float64(switched.Load())/time.Since(began).Seconds())
	return err
}
