package owner

import edgev1 "github.com/pona-realtime/pona/proto/pona/edge/v1"

// early is a position that has come before the event that its bot published before it.
type early struct {
	after    uint64 // the event's sequence
	delivery *edgev1.Delivery
	mirrored bool
}

// mostCold bounds the guilds of a partition that are not in memory and whose newest position is kept.
const mostCold = 10_000

// position takes a position, which waits for the event that its bot published before it. A newer one
// takes its place. It brings no guild into memory: where nobody listens, nobody needs it.
func (p *partition) position(d *edgev1.Delivery, after uint64) {
	guildID := d.GetGuildId()
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.open() {
		return
	}
	if g := p.guilds[guildID]; g != nil {
		p.place(g, &early{after: after, delivery: d})
		return
	}
	mirrored := after <= p.sequence
	if mirrored {
		p.reflect(d)
	}
	if p.cold[guildID] != nil || len(p.cold) < mostCold {
		p.chill(guildID).position = &early{after, d, mirrored}
	}
}

// place lets a position pass, or wait for its event. The caller holds mu.
func (p *partition) place(g *guild, position *early) {
	g.early = nil
	if position.after > p.sequence {
		g.early = position
		return
	}
	p.pass(g, position)
}

// pass folds a position and gives it to the guild's edges. The caller holds mu.
func (p *partition) pass(g *guild, position *early) {
	d := position.delivery
	if d.GetTraceparent() != "" {
		defer p.trace(g, d, len(g.edges))()
	}
	if err := fold(g, d); err != nil {
		p.log.Warn("a position that nobody can use is left out", "guild", g.id, "error", err)
		return
	}
	if !position.mirrored {
		p.reflect(d)
	}
	d.PreviousSequence = g.sequence
	for _, e := range g.edges {
		e.Position(d)
	}
}
