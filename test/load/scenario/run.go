package scenario

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"sync"
	"time"

	"github.com/pona-realtime/pona/test/load/report"
)

// run is a scenario under way.
type run struct {
	*Settings
	clients  int
	progress Progress
	result   *report.Result // the scenario's own goroutine's

	failures      reasons
	retried       reasons // attempts that failed, of who tries again
	distributions []*distribution

	mu      sync.Mutex
	watched []*watched
}

// watched is a number that is noted once a second.
type watched struct {
	name, unit string
	now        func() float64
	values     []float64
}

// measure does what the scenario does, and gathers what it has found.
func (r *run) measure(ctx context.Context, do func(context.Context, *run) error) {
	before, unknown := readProcesses(r.PIDs)
	began := time.Now()
	watching, stop := context.WithCancel(ctx)
	var watcher sync.WaitGroup
	watcher.Go(func() { r.note(watching) })
	err := do(ctx, r)
	stop()
	watcher.Wait()
	r.result.Seconds = time.Since(began).Seconds()

	if unknown == nil {
		unknown = before.addSince(&r.result.Figures)
	}
	if ctx.Err() != nil { // its end is no error of the server's
		err = nil
	}
	if err = errors.Join(err, unknown); err != nil {
		r.result.Error = err.Error()
	}
	r.result.Distributions = []report.Distribution{}
	for _, d := range r.distributions {
		if got, any := d.result(); any {
			r.result.Distributions = append(r.result.Distributions, got)
		}
	}
	r.result.Failures = map[string]int{}
	maps.Copy(r.result.Failures, r.failures.count)
	r.result.Retried = r.retried.count
	r.result.Series = []report.Series{}
	for _, w := range r.watched {
		r.result.Series = append(r.result.Series, report.Series{Name: w.name, Unit: w.unit, Step: 1, Values: w.values})
	}
}

// note notes what is watched until ctx ends. Of the second in which it ends nothing is noted: it is none.
func (r *run) note(ctx context.Context) {
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for seconds := 0; ; seconds++ {
		r.mu.Lock()
		for _, w := range r.watched {
			for len(w.values) < seconds { // before it was watched
				w.values = append(w.values, 0)
			}
			w.values = append(w.values, w.now())
		}
		r.mu.Unlock()
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}

// watch has a number noted once a second.
func (r *run) watch(name, unit string, now func() float64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.watched = append(r.watched, &watched{name: name, unit: unit, now: now, values: []float64{}})
}

// watchRate has the growth of a number noted once a second.
func (r *run) watchRate(name string, count func() int64) {
	last := count()
	r.watch(name, "in the second", func() float64 {
		now := count()
		grown := now - last
		last = now
		return float64(grown)
	})
}

// distribution is one of the run's.
func (r *run) distribution(name string) *distribution {
	d := newDistribution(name)
	r.distributions = append(r.distributions, d)
	return d
}

// title says what is done.
func (r *run) title(format string, args ...any) {
	r.result.Title = fmt.Sprintf(format, args...)
}

// step tells how far the run is.
func (r *run) step(doing string, done, total int) {
	r.progress(r.result.Scenario, doing, done, total)
}

// rest waits for d or for ctx.
func (r *run) rest(ctx context.Context, doing string, d time.Duration) {
	const steps = 100
	tick := time.NewTicker(max(d/steps, time.Millisecond))
	defer tick.Stop()
	began := time.Now()
	for time.Since(began) < d {
		select {
		case <-tick.C:
			r.step(doing, int(time.Since(began)*steps/d), steps)
		case <-ctx.Done():
			return
		}
	}
}
