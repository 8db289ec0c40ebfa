package scenario

import (
	"context"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"
)

// returns counts members that come back.
type returns struct {
	run                       *run
	took                      *distribution // from the cut
	back, recovered, attempts atomic.Int64
}

func (r *run) returns() *returns {
	b := &returns{run: r, took: r.distribution("back")}
	r.watchRate("reconnects", b.back.Load)
	return b
}

// attempt has a member come back; since is when it was cut. Why it has not come goes to failed.
func (b *returns) attempt(ctx context.Context, m *member, since time.Time, failed *reasons) bool {
	b.attempts.Add(1)
	recovered, err := m.comeBack(ctx)
	if err != nil {
		if ctx.Err() == nil {
			failed.add("reconnect: " + err.Error())
		}
		return false
	}
	b.took.record(m.number, time.Since(since))
	b.back.Add(1)
	if recovered {
		b.recovered.Add(1)
	}
	return true
}

func (b *returns) addTo(cut int64) {
	figures := &b.run.result.Figures
	figures.Add("cut", float64(cut))
	figures.Add("back", float64(b.back.Load()))
	figures.Add("recovered", float64(b.recovered.Load()))
	figures.Add("attempts", float64(b.attempts.Load()))
}

// reconnect cuts connections one by one.
func reconnect(ctx context.Context, r *run) error {
	r.title("connections of %d clients over %s are cut %d times, %g a second; they come back at once", r.clients, r.Transport, r.Reconnects, r.ReconnectRate)
	c := r.newCrowd("")
	defer c.disperse()
	if err := c.gather(ctx, r.clients); err != nil {
		return err
	}
	b := r.returns()
	var cut atomic.Int64
	order := rand.Perm(len(c.members))
	err := c.each(ctx, "reconnect", r.Reconnects, r.ReconnectRate, func(i int) {
		m := c.members[order[i%len(order)]]
		m.acting.Lock()
		defer m.acting.Unlock()
		m.cut()
		cut.Add(1)
		b.attempt(ctx, m, time.Now(), &r.failures)
	})
	b.addTo(cut.Load())
	return err
}

// maxAttempts is after how many a client stays away in the avalanche.
const maxAttempts = 20

// avalanche cuts all connections at once; every client comes back as a stock one does. A server that lets in no more
// than it can bear refuses on purpose: only who has not come back after its last attempt is a failure.
func avalanche(ctx context.Context, r *run) error {
	r.title("all of %d connections over %s are cut at once; clients come back after %s to %s, varied by half", r.clients, r.Transport, r.Backoff, r.BackoffMax)
	c := r.newCrowd("")
	defer c.disperse()
	if err := c.gather(ctx, r.clients); err != nil {
		return err
	}
	b := r.returns()
	began := time.Now()
	var last atomic.Int64 // ns after began, of the last that came back
	var all sync.WaitGroup
	for _, m := range c.members {
		all.Go(func() {
			m.cut()
			for attempt := range maxAttempts {
				if !pause(ctx, r.backoff(attempt)) {
					return
				}
				failed := &r.retried
				if attempt == maxAttempts-1 {
					failed = &r.failures
				}
				if b.attempt(ctx, m, began, failed) {
					r.step("come back", int(b.back.Load()), len(c.members))
					storeMax(&last, int64(time.Since(began)))
					return
				}
			}
		})
	}
	all.Wait()
	b.addTo(int64(len(c.members)))
	r.result.Figures.Add("last_back_s", time.Duration(last.Load()).Seconds())
	return ctx.Err()
}

// backoff is how long a stock client waits before an attempt, numbered from 0: with its default
// randomizationFactor of a half.
func (s *Settings) backoff(attempt int) time.Duration {
	d := min(s.Backoff<<attempt, s.BackoffMax)
	return time.Duration(float64(d) * (0.5 + rand.Float64()))
}

func storeMax(to *atomic.Int64, v int64) {
	for old := to.Load(); v > old && !to.CompareAndSwap(old, v); old = to.Load() {
	}
}

// pause waits; false when ctx has ended.
func pause(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}
