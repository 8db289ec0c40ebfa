package owner

import "github.com/pona-realtime/pona/services/fanout/route"

// prepare brings a guild into memory, so that subscribing to it need not wait.
func (p *partition) prepare(guildID uint64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.open() {
		p.guild(guildID)
	}
}

// subscribe adds an edge to a guild: after a snapshot, or after the events it has missed.
func (p *partition) subscribe(e *route.Edge, guildID uint64, after *uint64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.open() {
		return
	}
	g := p.guild(guildID)
	if g == nil {
		return
	}
	g.forget(e)
	switch {
	case after == nil:
		e.Snapshot(g.snapshot())
		g.edges = append(g.edges, e)
	case *after >= g.sequence:
		g.edges = append(g.edges, e)
	default:
		p.catchUp(g, e, *after)
	}
}

// unsubscribe takes an edge away from a guild.
func (p *partition) unsubscribe(e *route.Edge, guildID uint64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if g := p.guilds[guildID]; g != nil {
		g.forget(e)
	}
}
