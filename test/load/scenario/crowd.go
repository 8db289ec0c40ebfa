package scenario

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/sync/errgroup"
	"golang.org/x/time/rate"

	"github.com/pona-realtime/pona/test/load/client"
)

// crowd is the clients of a run.
type crowd struct {
	run     *run
	options client.Options // what they have in common
	traffic client.Traffic
	tally   *tally
	members []*member // all that have come in, and may have been lost since

	suffix  string       // of its figures' names, where a run has several crowds
	open    atomic.Int64 // sessions
	lost    atomic.Int64 // sessions that the server or the network has ended
	opening *distribution
	joining *distribution
}

// newCrowd is a crowd of nobody, with a suffix to its figures' names where the run has several.
func (r *run) newCrowd(suffix string) *crowd {
	c := &crowd{run: r, suffix: suffix, opening: r.distribution("session" + suffix), joining: r.distribution("join" + suffix), tally: &tally{}}
	c.options, _ = r.clientOptions() // Validate has made them before
	c.options.Traffic = &c.traffic
	r.watch("clients"+suffix, "connected", func() float64 { return float64(c.open.Load()) })
	return c
}

// gather has n clients come in. Those that cannot are failures; the error is for ctx's end, and where
// nobody could.
func (c *crowd) gather(ctx context.Context, n int) error {
	if err := enoughFiles(n); err != nil {
		return err
	}
	began := time.Now()
	var mu sync.Mutex
	var failed int
	var firstErr error
	err := c.each(ctx, "connect", n, c.run.Rate, func(number int) {
		m := &member{crowd: c, number: number}
		err := m.connect(ctx)
		mu.Lock()
		defer mu.Unlock()
		if err == nil {
			c.members = append(c.members, m)
		} else if ctx.Err() == nil {
			c.run.failures.add("connect: " + err.Error())
			failed++
			firstErr = err
		}
	})
	took := time.Since(began).Seconds()
	c.figure("clients", float64(len(c.members)))
	c.figure("clients_failed", float64(failed))
	c.figure("connects_per_s", float64(len(c.members))/took)
	if err == nil && len(c.members) == 0 {
		err = fmt.Errorf("no client could connect: %w", firstErr)
	}
	return err
}

// figure adds one to the run's.
func (c *crowd) figure(name string, value float64) {
	c.run.result.Figures.Add(name+c.suffix, value)
}

// each does something for n numbers, no faster than perSecond, and with no more than AtOnce at a time. It
// returns when all that have been begun are done; the error is ctx's.
func (c *crowd) each(ctx context.Context, doing string, n int, perSecond float64, do func(number int)) error {
	limit := rate.NewLimiter(rate.Inf, 1)
	if perSecond > 0 {
		limit = rate.NewLimiter(rate.Limit(perSecond), max(int(perSecond/100), 1))
	}
	var group errgroup.Group
	group.SetLimit(c.run.AtOnce)
	var done atomic.Int64
	for i := range n {
		if limit.Wait(ctx) != nil {
			break
		}
		group.Go(func() error {
			do(i)
			c.run.step(doing, int(done.Add(1)), n)
			return nil
		})
	}
	_ = group.Wait() // no function of it fails
	return ctx.Err()
}

// pings is how many pings have been answered.
func (c *crowd) pings() int64 {
	n := int64(0)
	for _, m := range c.members {
		if m.client != nil {
			n += m.client.Pings()
		}
	}
	return n
}

// disperse ends all clients.
func (c *crowd) disperse() {
	var group errgroup.Group
	group.SetLimit(max(c.run.AtOnce, runtime.GOMAXPROCS(0)))
	for _, m := range c.members {
		if m.client != nil {
			group.Go(func() error {
				m.client.Close()
				return nil
			})
		}
	}
	_ = group.Wait() // no function of it fails
}

// ended hears of a client's end.
func (c *crowd) ended(err error) {
	c.open.Add(-1)
	if !errors.Is(err, client.ErrClosed) {
		c.lost.Add(1)
		c.run.failures.add("session lost: " + err.Error())
	}
}

// enoughFiles tells whether n clients may be open at the same time.
func enoughFiles(n int) error {
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		return fmt.Errorf("limit of open files: %w", err)
	}
	if need := uint64(n + 100); uint64(limit.Cur) < need {
		return fmt.Errorf("%d clients need %d open files, the limit is %d (ulimit -n)", n, need, limit.Cur)
	}
	return nil
}
