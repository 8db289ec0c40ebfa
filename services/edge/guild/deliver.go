package guild

import (
	"slices"
	"sync/atomic"

	"github.com/pona-realtime/pona/pkg/player"
	edgev1 "github.com/pona-realtime/pona/proto/pona/edge/v1"
	playerv1 "github.com/pona-realtime/pona/proto/pona/player/v1"
)

// Snapshot replaces a guild's state. The first one lets listeners in; a later one says that events
// are missing in between, so that the listeners there are start again from it.
func (c *Cache) Snapshot(snapshot *edgev1.Snapshot) {
	g := c.guild(snapshot.GetGuildId())
	if g == nil {
		return
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	first, sequence := !g.known, snapshot.GetSequence()
	g.known, g.state, g.shown, g.trail = true, snapshot.GetState(), nil, append(slices.Clone(snapshot.GetTrail()), sequence)
	if g.state == nil {
		g.state = &playerv1.GuildState{}
	}
	c.history.begin(g.id, sequence)
	if first {
		close(g.arrived)
	} else if g.holds.Load() > 0 {
		c.measured.restarts.Inc()
		c.options.Log.Info("events of a guild were missed; its listeners start again", "guild", g.id, "sequence", sequence)
		c.audience.Restart(g.id)
	}
	g.advance(sequence)
}

// Deliver folds an event, which came as d, into its guild's state, and broadcasts what it emits. written, if not
// nil, is called when all listeners have been written to, with how many they are; they may be 0. Of an event
// that is not broadcast it does not hear.
func (c *Cache) Deliver(d *edgev1.Delivery, event *playerv1.Event, written func(sockets, bytes int)) {
	g := c.guild(d.GetGuildId())
	if g == nil {
		return
	}
	sequence := d.GetSequence()
	g.mu.Lock()
	defer g.mu.Unlock()
	if !g.known || sequence != 0 && sequence <= g.sequence {
		return // of an earlier subscription; the snapshot has it, or will
	}
	g.shown = nil
	if err := player.Fold(g.state, event); err != nil {
		c.options.Log.Warn("event of a kind that this edge does not know", "guild", g.id, "sequence", sequence, "error", err)
	} else if g.holds.Load() > 0 { // who comes later enters with the state
		c.broadcast(g, sequence, event, d.GetTraceparent(), written)
	}
	if sequence != 0 {
		c.history.add(entryOf(d, event))
		g.advance(sequence)
	}
}

// broadcast sends what an event emits; runs for the same room as one unit.
func (c *Cache) broadcast(g *guild, sequence uint64, event *playerv1.Event, traceparent string, written func(sockets, bytes int)) {
	if defective() {
		return
	}
	runs, err := encode(event, sequence)
	if err != nil {
		c.options.Log.Warn("event that cannot be sent", "guild", g.id, "event", event.GetEventId(), "error", err)
		return
	}
	if len(runs) > 1 && written != nil {
		written = gather(len(runs), written)
	}
	for _, run := range runs {
		c.audience.Broadcast(g.id, run.room, run.packets, traceparent, written)
	}
}

// gather calls written with the sums when it has been called n times.
func gather(n int, written func(sockets, bytes int)) func(sockets, bytes int) {
	var calls, allSockets, allBytes atomic.Int64
	return func(sockets, bytes int) {
		allSockets.Add(int64(sockets))
		allBytes.Add(int64(bytes))
		if calls.Add(1) == int64(n) {
			written(int(allSockets.Load()), int(allBytes.Load()))
		}
	}
}
