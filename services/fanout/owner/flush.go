package owner

import (
	"context"
	"maps"
	"math/rand/v2"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"
	"golang.org/x/sync/semaphore"

	edgev1 "github.com/pona-realtime/pona/proto/pona/edge/v1"
)

// checkpointEvents is how many events of a partition make a checkpoint due before its time, so that
// whoever takes over never has many more to read.
const checkpointEvents = 1024

// keep writes checkpoints until ctx ends: each interval, the first after a random part of it so that
// partitions take turns, and whenever checkpointEvents have come.
func (p *partition) keep(ctx context.Context, interval time.Duration) {
	timer := time.NewTimer(rand.N(interval))
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-timer.C:
		case <-p.due:
		}
		p.checkpoint(ctx)
		timer.Reset(interval)
	}
}

// count notes an event, and says when a checkpoint is due. The caller holds mu.
func (p *partition) count() {
	if p.unsaved++; p.unsaved >= checkpointEvents {
		p.unsaved = 0
		select {
		case p.due <- struct{}{}:
		default:
		}
	}
}

// checkpoint writes what has changed since the last one: its cost goes with the guilds that had
// events, however many there are. Several events of a guild are one write.
func (p *partition) checkpoint(ctx context.Context) {
	p.flushing.Lock()
	defer p.flushing.Unlock()
	p.foldCold(ctx)
	p.mu.Lock()
	changed, upTo, saved := p.dirty, p.folded(), p.saved
	if !p.lease.valid() || upTo == saved && len(changed) == 0 {
		p.dropQuiet()
		p.mu.Unlock()
		return
	}
	p.dirty, p.unsaved = make(map[uint64]*guild), 0
	pages := make([]page, 0, len(changed))
	for _, g := range changed {
		pages = append(pages, page{guild: g, snapshot: g.snapshot(), saved: g.saved})
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
		page.guild.saved = page.saved
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

// folding bounds the partitions of one process that fold what waits at the same time, and foldAtOnce the
// guilds that each reads: after a takeover these are all, and edges that ask for their guilds come first.
var folding = semaphore.NewWeighted(4)

const foldAtOnce = 4

// foldCold reads the guilds for which events wait.
func (p *partition) foldCold(ctx context.Context) {
	if folding.Acquire(ctx, 1) != nil {
		return
	}
	defer folding.Release(1)
	p.mu.Lock()
	ids := slices.Collect(maps.Keys(p.cold))
	p.mu.Unlock()
	var group errgroup.Group
	group.SetLimit(foldAtOnce)
	for _, id := range ids {
		group.Go(func() error {
			p.mu.Lock()
			defer p.mu.Unlock()
			if c := p.cold[id]; c != nil && len(c.events) > 0 && p.open() {
				p.guild(id)
			}
			return nil
		})
	}
	_ = group.Wait() // nothing fails: the tenure may end
}

// folded is up to where all events are in their guilds' states. The caller holds mu.
func (p *partition) folded() uint64 {
	upTo := p.sequence
	for _, c := range p.cold {
		if len(c.events) > 0 {
			upTo = min(upTo, c.events[0].GetSequence()-1)
		}
	}
	return upTo
}

// page is one guild's part of a checkpoint.
type page struct {
	guild    *guild
	snapshot *edgev1.Snapshot
	saved    standing
	err      error
}

// write saves the pages, and leaves in each what became of it.
func (p *partition) write(ctx context.Context, pages []page) error {
	var group errgroup.Group
	group.SetLimit(atOnce)
	for i := range pages {
		group.Go(func() error {
			at := &pages[i]
			at.saved, at.err = p.checkpoints.save(ctx, at.snapshot, p.lease.epoch, at.saved)
			return at.err
		})
	}
	return group.Wait()
}
