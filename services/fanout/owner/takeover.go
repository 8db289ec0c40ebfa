package owner

import (
	"context"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/cenkalti/backoff/v5"
	"golang.org/x/sync/errgroup"

	edgev1 "github.com/pona-realtime/pona/proto/pona/edge/v1"
)

// run takes the partition over, calls ready when it has caught up with the stream, and follows the
// stream until ctx ends. It returns when nothing of the partition runs any more.
func (p *partition) run(ctx context.Context, interval time.Duration, ready func()) {
	if !p.restore(ctx) {
		return
	}
	began, from := time.Now(), p.handled()
	goal := &goal{reached: make(chan struct{})}
	var group errgroup.Group
	if p.aim(ctx, goal) {
		group.Go(func() error { p.follow(ctx, goal); return nil })
	}
	if p.awaitGoal(ctx, goal) {
		stop := p.listen(ctx)
		defer stop()
		ready()
		p.log.Debug("took a partition over", "epoch", p.lease.epoch, "from", from, "took", time.Since(began))
	}
	group.Go(func() error { p.keep(ctx, interval); return nil })
	_ = group.Wait() // both only end with ctx
	p.mu.Lock()      // a subscriber that found ctx alive has begun its replay by now; no other will
	replays := &p.replays
	p.mu.Unlock()
	replays.Wait()
}

// goal is the event with which a takeover is complete.
type goal struct {
	sequence atomic.Uint64
	once     sync.Once
	reached  chan struct{}
}

// check says that the events up to a sequence have been handled.
func (g *goal) check(handled uint64) {
	if handled >= g.sequence.Load() {
		g.once.Do(func() { close(g.reached) })
	}
}

// aim makes the partition's last event the goal. It is false when ctx ended first.
func (p *partition) aim(ctx context.Context, g *goal) bool {
	return p.insist(ctx, "asking for the partition's last event", func() error {
		asking, cancel := context.WithTimeout(ctx, answerWithin)
		defer cancel()
		last, err := p.events.Last(asking, p.lease.partition)
		if err == nil {
			g.sequence.Store(last)
			g.check(p.handled())
		}
		return err
	})
}

// awaitGoal waits until the goal is reached. It looks again from time to time where that is, for
// the event may have been the last of its age. It is false when ctx ended first.
func (p *partition) awaitGoal(ctx context.Context, g *goal) bool {
	again := time.NewTicker(5 * time.Second)
	defer again.Stop()
	for {
		select {
		case <-g.reached:
			return true
		case <-ctx.Done():
			return false
		case <-again.C:
			p.aim(ctx, g)
		}
	}
}

// restore reads how far the checkpoints are complete, and writes it again, which fences whoever
// owned the partition before. It is false when ctx ended first.
func (p *partition) restore(ctx context.Context) bool {
	return p.insist(ctx, "reading the partition's checkpoint", func() error {
		sequence, revision, err := p.checkpoints.position(ctx, p.lease.partition)
		if err != nil {
			return err
		}
		if revision, err = p.checkpoints.setPosition(ctx, p.lease.partition, sequence, revision); err != nil {
			return err
		}
		p.mu.Lock()
		defer p.mu.Unlock()
		p.sequence, p.saved, p.revision = sequence, sequence, revision
		return nil
	})
}

// follow handles the partition's events until ctx ends.
func (p *partition) follow(ctx context.Context, g *goal) {
	p.events.Follow(ctx, p.lease.partition, p.handled(), func(d *edgev1.Delivery) {
		p.handle(d)
		g.check(p.handled())
	})
}

func (p *partition) handled() uint64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.sequence
}

// listen takes positions. Without them a partition works, so trouble is only logged.
func (p *partition) listen(ctx context.Context) (stop func()) {
	stop, err := p.events.Positions(p.lease.partition, p.position)
	if err != nil {
		if ctx.Err() == nil {
			p.log.Warn("no positions", "error", err)
		}
		return func() {}
	}
	return stop
}

// load reads a guild's checkpoint, however long that takes; nil when the tenure ends first.
func (p *partition) load(guildID uint64) (snapshot *edgev1.Snapshot, saved standing) {
	p.insist(p.ctx, "reading a guild's checkpoint", func() (err error) {
		snapshot, saved, err = p.checkpoints.load(p.ctx, guildID)
		return err
	})
	return snapshot, saved
}

// insist tries until it works, and says so at the first failure. It is false when ctx ended first.
func (p *partition) insist(ctx context.Context, doing string, try func() error) bool {
	return insist(ctx, p.log, doing, try)
}

// insist tries until it works or ctx ends, and logs the first failure.
func insist(ctx context.Context, log *slog.Logger, doing string, try func() error) bool {
	retry := backoff.NewExponentialBackOff()
	retry.InitialInterval, retry.MaxInterval = 50*time.Millisecond, time.Second
	for said := false; ctx.Err() == nil; said = true {
		err := try()
		if err == nil {
			return true
		}
		if !said && ctx.Err() == nil {
			log.Warn(doing+", trying again", "error", err)
		}
		pause(ctx, retry.NextBackOff())
	}
	return false
}
