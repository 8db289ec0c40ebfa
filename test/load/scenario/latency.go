package scenario

import (
	"context"
	"math/rand/v2"
	"strconv"
	"sync"
	"sync/atomic"
	"time"
)

// latency has clients ask, and wait for the answer before they ask again.
func latency(ctx context.Context, r *run) error {
	r.title("%d clients over %s ask %g times a second each, for %s", r.clients, r.Transport, r.AskRate, r.For)
	c := r.newCrowd("")
	defer c.disperse()
	if err := c.gather(ctx, r.clients); err != nil {
		return err
	}
	took := r.distribution("round trip")
	var asked, answered atomic.Int64
	r.watchRate("answers", answered.Load)
	until, stop := context.WithTimeout(ctx, r.For)
	defer stop()
	var all sync.WaitGroup
	every := time.Duration(float64(time.Second) / r.AskRate)
	for _, m := range c.members {
		all.Go(func() {
			wait := time.Duration(rand.Float64() * float64(every)) // not all at the same moment
			for pause(until, wait) {
				began := time.Now()
				asked.Add(1)
				if err := m.ask(ctx); err != nil {
					if ctx.Err() == nil {
						r.failures.add("ask: " + err.Error())
					}
					return
				}
				took.record(m.number, time.Since(began))
				answered.Add(1)
				wait = max(every-time.Since(began), 0)
			}
		})
	}
	r.rest(until, "ask", r.For)
	all.Wait()
	r.result.Figures.Add("asked", float64(asked.Load()))
	r.result.Figures.Add("answered", float64(answered.Load()))
	return ctx.Err()
}

// ask asks once, and waits for the answer.
func (m *member) ask(ctx context.Context) error {
	s := m.crowd.run.Settings
	if s.AckEvent != "" {
		return m.client.Ask(ctx, m.namespace(), s.AckEvent, strconv.Quote(s.AckEvent))
	}
	reply := m.expect(s.ReplyEvent)
	if err := m.client.Emit(m.namespace(), s.AskEvent); err != nil {
		return err
	}
	return reply.await(ctx, m.client, s.Patience)
}
