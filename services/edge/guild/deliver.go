package guild

import (
	"github.com/pona-realtime/pona/pkg/player"
	playerv1 "github.com/pona-realtime/pona/proto/pona/player/v1"
)

// Snapshot replaces a guild's state. The first one lets listeners in; a later one says that events
// are missing in between, so that the listeners there are start again from it.
func (c *Cache) Snapshot(guildID, sequence uint64, state *playerv1.GuildState) {
	g := c.guild(guildID)
	if g == nil {
		return
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	first := !g.known
	g.known, g.state = true, state
	if first {
		close(g.arrived)
	} else if g.holds.Load() > 0 {
		c.options.Log.Info("events of a guild were missed; its listeners start again", "guild", guildID, "sequence", sequence)
		c.audience.Restart(guildID, g.handshake)
	}
	g.advance(sequence)
}

// Deliver folds an event into its guild's state and broadcasts what it emits. Positions have
// sequence 0.
func (c *Cache) Deliver(guildID, sequence uint64, event *playerv1.Event) {
	g := c.guild(guildID)
	if g == nil {
		return
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if !g.known || sequence != 0 && sequence <= g.sequence {
		return // of an earlier subscription; the snapshot has it, or will
	}
	if err := player.Fold(g.state, event); err != nil {
		c.options.Log.Warn("event of a kind that this edge does not know", "guild", guildID, "sequence", sequence, "error", err)
	} else if g.holds.Load() > 0 { // who comes later enters with the state
		c.broadcast(g, event)
	}
	if sequence != 0 {
		g.advance(sequence)
	}
}

// broadcast sends what an event emits; runs for the same room as one unit.
func (c *Cache) broadcast(g *guild, event *playerv1.Event) {
	if defective() {
		return
	}
	runs, err := encode(event)
	if err != nil {
		c.options.Log.Warn("event that cannot be sent", "guild", g.id, "event", event.GetEventId(), "error", err)
		return
	}
	for _, run := range runs {
		c.audience.Broadcast(g.id, run.room, run.packets)
	}
}
