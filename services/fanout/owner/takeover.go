package owner

import (
	"context"
	"time"

	"github.com/cenkalti/backoff/v5"
	"golang.org/x/sync/errgroup"
	"google.golang.org/protobuf/proto"

	edgev1 "github.com/pona-realtime/pona/proto/pona/edge/v1"
)

// run takes the partition over, calls ready when it has caught up with the stream, and follows the
// stream until ctx ends. It returns when nothing of the partition runs any more.
func (p *partition) run(ctx context.Context, interval time.Duration, ready func()) {
	if !p.restore(ctx) {
		return
	}
	began := time.Now()
	from := p.saved
	caughtUp := make(chan struct{})
	var group errgroup.Group
	group.Go(func() error { p.follow(ctx, caughtUp); return nil })
	select {
	case <-caughtUp:
		stop := p.listen(ctx)
		defer stop()
		ready()
		p.log.Debug("took a partition over", "epoch", p.lease.epoch, "from", from, "took", time.Since(began))
	case <-ctx.Done():
	}
	group.Go(func() error { p.keep(ctx, interval); return nil })
	_ = group.Wait() // both only end with ctx
	p.mu.Lock()      // a subscriber that found ctx alive has begun its replay by now; no other will
	p.mu.Unlock()    //nolint:staticcheck // empty on purpose
	p.replays.Wait()
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

// follow handles the partition's events until ctx ends, and closes caughtUp when those are handled
// that were stored at its start.
func (p *partition) follow(ctx context.Context, caughtUp chan struct{}) {
	var last uint64
	if !p.insist(ctx, "asking for the partition's last event", func() (err error) {
		asking, cancel := context.WithTimeout(ctx, answerWithin)
		defer cancel()
		last, err = p.events.Last(asking, p.lease.partition)
		return err
	}) {
		return
	}
	waiting := true
	check := func() {
		if waiting && p.handled() >= last {
			waiting = false
			close(caughtUp)
		}
	}
	check()
	p.insist(ctx, "reading the partition's events", func() error {
		err := p.events.Follow(ctx, p.lease.partition, p.handled(), func(d *edgev1.Delivery) {
			p.handle(d)
			check()
		})
		return err
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

// load reads a guild's checkpoint, however long that takes; nil when the tenure ends first. The
// caller holds mu.
func (p *partition) load(guildID uint64) (snapshot *edgev1.Snapshot, revision uint64) {
	p.insist(p.ctx, "reading a guild's checkpoint", func() (err error) {
		snapshot, revision, err = p.checkpoints.load(p.ctx, guildID)
		return err
	})
	return snapshot, revision
}

// keep writes checkpoints until ctx ends.
func (p *partition) keep(ctx context.Context, interval time.Duration) {
	tick := time.NewTicker(interval)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			p.checkpoint(ctx)
		}
	}
}

// checkpoint writes what has changed since the last one: its cost goes with the guilds that had
// events, however many there are. Several events of a guild are one write.
func (p *partition) checkpoint(ctx context.Context) {
	p.flushing.Lock()
	defer p.flushing.Unlock()
	p.mu.Lock()
	changed, upTo, saved := p.dirty, p.sequence, p.saved
	if !p.lease.valid() || upTo == saved && len(changed) == 0 {
		p.dropQuiet()
		p.mu.Unlock()
		return
	}
	p.dirty = make(map[uint64]*guild)
	pages := make([]page, 0, len(changed))
	for _, g := range changed {
		encoded, err := proto.Marshal(&edgev1.Snapshot{GuildId: g.id, Sequence: g.sequence, State: g.state})
		pages = append(pages, page{g, g.sequence, g.revision, encoded, err})
	}
	p.mu.Unlock()

	err := p.write(ctx, pages)
	revision := p.revision // written under flushing only
	if err == nil && upTo > saved {
		revision, err = p.checkpoints.setPosition(ctx, p.lease.partition, upTo, p.revision)
	}

	p.mu.Lock()
	defer p.mu.Unlock()
	for _, page := range pages {
		page.guild.revision = page.revision
		if page.err != nil {
			p.dirty[page.guild.id] = page.guild
		}
	}
	if err != nil {
		if ctx.Err() == nil {
			p.log.Warn("writing checkpoints", "guilds", len(pages), "error", err)
		}
		return
	}
	p.saved, p.revision = upTo, revision
	p.dropQuiet()
}

// page is one guild's part of a checkpoint.
type page struct {
	guild              *guild
	sequence, revision uint64
	encoded            []byte
	err                error
}

// write saves the pages, and leaves in each what became of it.
func (p *partition) write(ctx context.Context, pages []page) error {
	var group errgroup.Group
	group.SetLimit(atOnce)
	for i := range pages {
		group.Go(func() error {
			at := &pages[i]
			if at.err == nil {
				at.revision, at.err = p.checkpoints.save(ctx, at.guild.id, at.sequence, at.encoded, at.revision)
			}
			return at.err
		})
	}
	return group.Wait()
}

// insist tries until it works, and says so at the first failure. It is false when ctx ended first.
func (p *partition) insist(ctx context.Context, doing string, try func() error) bool {
	retry := backoff.NewExponentialBackOff()
	retry.InitialInterval, retry.MaxInterval = 50*time.Millisecond, time.Second
	for said := false; ctx.Err() == nil; said = true {
		err := try()
		if err == nil {
			return true
		}
		if !said && ctx.Err() == nil {
			p.log.Warn(doing+", trying again", "error", err)
		}
		pause(ctx, retry.NextBackOff())
	}
	return false
}
