package owner

import (
	"container/list"
	"slices"
	"time"

	"github.com/pona-realtime/pona/pkg/player"
	edgev1 "github.com/pona-realtime/pona/proto/pona/edge/v1"
	playerv1 "github.com/pona-realtime/pona/proto/pona/player/v1"
	"github.com/pona-realtime/pona/services/fanout/route"
)

// guild is what its partition knows of it.
type guild struct {
	id       uint64
	state    *playerv1.GuildState
	sequence uint64        // of the last event folded
	trail    []uint64      // sequences of the last ones before it, in order
	saved    standing      // the checkpoint
	edges    []*route.Edge // those that get every event
	replay   *replay       // what other edges wait for; nil when none does
	early    *early        // a position that waits for its event; nil for none
	touched  time.Time
	place    *list.Element // in partition.recent
}

// trailLength is how many events back a guild's trail goes: more than happen at once.
const trailLength = 32

// advance makes d the guild's last event.
func (g *guild) advance(d *edgev1.Delivery) {
	d.PreviousSequence = g.sequence
	if g.sequence != 0 {
		if len(g.trail) == trailLength {
			g.trail = g.trail[:copy(g.trail, g.trail[1:])]
		}
		g.trail = append(g.trail, g.sequence)
	}
	g.sequence = d.GetSequence()
}

// next is the sequence of the guild's first event after one that is older than the last; 0 where it
// is not known.
func (g *guild) next(after uint64) uint64 {
	at, found := slices.BinarySearch(g.trail, after)
	switch {
	case !found:
		return 0
	case at+1 < len(g.trail):
		return g.trail[at+1]
	}
	return g.sequence
}

func (g *guild) forget(e *route.Edge) {
	g.edges = slices.DeleteFunc(g.edges, func(other *route.Edge) bool { return other == e })
	if g.replay != nil {
		g.replay.forget(e)
	}
}

// snapshot copies the state as it is now.
func (g *guild) snapshot() *edgev1.Snapshot {
	return &edgev1.Snapshot{
		GuildId: g.id, Sequence: g.sequence, State: player.Copy(g.state), Trail: slices.Clone(g.trail),
	}
}
