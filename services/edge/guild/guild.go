package guild

import (
	"slices"
	"sync"
	"sync/atomic"
	"time"
	"weak"

	"github.com/pona-realtime/pona/pkg/socketio"
	playerv1 "github.com/pona-realtime/pona/proto/pona/player/v1"
)

// guild is one guild's state.
type guild struct {
	id    uint64
	holds atomic.Int64 // changed with Cache.mu held

	// Guarded by Cache.mu.
	idle      *time.Timer // runs while nobody holds the guild
	idleSince time.Time   // when it was last set

	arrived chan struct{} // closed with the first snapshot

	mu       sync.Mutex // orders events, entries and restarts
	known    bool       // a snapshot has come
	state    *playerv1.GuildState
	sequence uint64                                   // of the last event in state
	trail    []uint64                                 // sequences of the last events up to the snapshot's, in order
	recall   *recall                                  // under way; nil for none
	shown    map[string]weak.Pointer[socketio.Packet] // the handshakes of state, by the user's voice channel; nil for none
	waiting  []waiter
}

// waiter is somebody who waits until an event has been broadcast.
type waiter struct {
	sequence uint64
	applied  chan struct{} // closed then
}

func newGuild(id uint64) *guild {
	return &guild{id: id, arrived: make(chan struct{})}
}

// advance sets the sequence and wakes who waited for it. Called with mu held.
func (g *guild) advance(sequence uint64) {
	g.sequence = sequence
	still := g.waiting[:0]
	for _, w := range g.waiting {
		if w.sequence <= sequence {
			close(w.applied)
		} else {
			still = append(still, w)
		}
	}
	clear(g.waiting[len(still):])
	g.waiting = still
}

// next is the sequence of the guild's first event after one, where the trail shows it; 0 otherwise.
// Called with mu held.
func (g *guild) next(after uint64) uint64 {
	at, found := slices.BinarySearch(g.trail, after)
	if !found || at+1 == len(g.trail) {
		return 0
	}
	return g.trail[at+1]
}
