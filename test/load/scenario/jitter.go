package scenario

import (
	"cmp"
	"context"
	"fmt"
	"math/rand/v2"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"
)

// jitter has clients on bad networks: now and then one stops reading for a while, or loses its connection. Where
// something emits, every event must reach every client all the same, late or when it is back.
func jitter(ctx context.Context, r *run) error {
	r.title("%d clients over %s have trouble every %s each, for %s: no reading for up to %s, or (%.0f %%) a cut",
		r.clients, r.Transport, r.JitterEvery, r.For, r.JitterStall, 100*r.JitterCut)
	c := r.newCrowd("")
	defer c.disperse()
	if err := c.gather(ctx, r.clients); err != nil {
		return err
	}
	b := r.returns()
	var stalls, cuts atomic.Int64
	var emitted int
	var work errgroup.Group
	emits := needsSource(r.Settings) == ""
	if emits {
		from, err := r.source(ctx, c)
		if err != nil {
			return err
		}
		defer from.Close() // what it says then, the deliveries have said before
		c.tally.begin(1, r.distribution("delivery"))
		r.watchRate("deliveries", c.tally.delivered.Load)
		work.Go(func() (err error) { // all of them, though the machine be late
			emitted, err = r.emit(ctx, from, 1, max(int(r.For.Seconds()*r.EventRate), 1), r.text)
			return err
		})
	}
	troubled, stop := context.WithTimeout(ctx, r.For)
	defer stop()
	work.Go(func() error {
		c.trouble(troubled, ctx, b, &stalls, &cuts)
		return nil
	})
	err := work.Wait()
	r.result.Figures.Add("stalls", float64(stalls.Load()))
	b.addTo(cuts.Load())
	if emits {
		expected := int64(emitted) * int64(len(c.members))
		c.await(expected)
		err = cmp.Or(err, c.addDeliveries(expected))
	}
	if err != nil {
		return fmt.Errorf("jitter: %w", err)
	}
	return ctx.Err()
}

// trouble troubles members at random until ctx ends; then it waits until those that were cut are back, or
// life has ended.
func (c *crowd) trouble(ctx, life context.Context, b *returns, stalls, cuts *atomic.Int64) {
	mean := c.run.JitterEvery / time.Duration(len(c.members))
	var returning errgroup.Group
	returning.SetLimit(c.run.AtOnce)
	for pause(ctx, time.Duration(float64(mean)*rand.ExpFloat64())) {
		m := c.members[rand.IntN(len(c.members))]
		cut := rand.Float64() < c.run.JitterCut
		rest := time.Duration(rand.Float64() * float64(c.run.JitterStall))
		returning.Go(func() error {
			m.acting.Lock()
			defer m.acting.Unlock()
			if !cut {
				stalls.Add(1)
				m.client.Stall(rest)
				return nil
			}
			m.cut()
			cuts.Add(1)
			b.attempt(life, m, time.Now(), &c.run.failures)
			return nil
		})
	}
	_ = returning.Wait() // no function of it fails
}
