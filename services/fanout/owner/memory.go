package owner

import (
	"time"

	edgev1 "github.com/pona-realtime/pona/proto/pona/edge/v1"
	playerv1 "github.com/pona-realtime/pona/proto/pona/player/v1"
)

// A guild that nobody listens to leaves memory after quietAfter, or when more than quietGuilds of
// its partition are there. Its state is then read from its checkpoint when it is needed again.
const (
	quietAfter  = 5 * time.Minute
	quietGuilds = 10_000
)

// cold is what came for a guild that is not in memory, and waits for its state.
type cold struct {
	events   []*edgev1.Delivery // in order
	position *early             // the newest; nil for none
}

// guild finds a guild, in memory or else in its checkpoint and in what waits for it, and marks it as used.
// It is nil when the partition is no longer open. The caller holds mu, which is let go of while the checkpoint is read.
func (p *partition) guild(id uint64) *guild {
	for {
		if g := p.guilds[id]; g != nil {
			g.touched = time.Now()
			p.recent.MoveToFront(g.place)
			return g
		}
		left := p.left
		p.mu.Unlock()
		snapshot, saved := p.load(id)
		p.mu.Lock()
		if snapshot == nil || !p.open() {
			return nil
		}
		if p.guilds[id] == nil && p.left == left { // otherwise the checkpoint may have been written since
			return p.warm(id, snapshot, saved)
		}
	}
}

// warm brings a guild into memory. The caller holds mu.
func (p *partition) warm(id uint64, snapshot *edgev1.Snapshot, saved standing) *guild {
	state := snapshot.GetState()
	if state == nil {
		state = &playerv1.GuildState{}
	}
	g := &guild{
		id: id, state: state, sequence: snapshot.GetSequence(), trail: snapshot.GetTrail(), saved: saved, touched: time.Now(),
	}
	g.place = p.recent.PushFront(g)
	p.guilds[id] = g
	if c := p.cold[id]; c != nil {
		delete(p.cold, id)
		p.waiting -= len(c.events)
		for _, d := range c.events {
			if d.GetSequence() > g.sequence {
				p.event(g, d)
			}
		}
		if c.position != nil {
			p.place(g, c.position)
		}
	}
	return g
}

// chill gives what came for a guild that is not in memory. The caller holds mu.
func (p *partition) chill(id uint64) *cold {
	c := p.cold[id]
	if c == nil {
		c = new(cold)
		p.cold[id] = c
	}
	return c
}

// dropQuiet lets guilds leave memory whose state stands in their checkpoint. The caller holds mu.
func (p *partition) dropQuiet() {
	for place := p.recent.Back(); place != nil; {
		g := place.Value.(*guild)
		if time.Since(g.touched) < quietAfter && p.recent.Len() <= quietGuilds {
			return
		}
		place = place.Prev()
		if _, dirty := p.dirty[g.id]; dirty || len(g.edges) > 0 || g.replay != nil {
			continue
		}
		p.recent.Remove(g.place)
		delete(p.guilds, g.id)
		p.left++
	}
}
