package guild

import (
	"context"

	"github.com/pona-realtime/pona/pkg/socketio"
)

// Enter calls enter with a user's handshake while nothing of the guild is being broadcast. Who joins the
// audience in it, after sending the handshake, gets exactly the events that the handshake does not
// show. The guild must be held; enter must not wait.
func (c *Cache) Enter(guildID, userID uint64, enter func(handshake *socketio.Packet)) {
	g := c.guild(guildID)
	if g == nil {
		return
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	enter(g.handshake(userID))
}

// Applied waits until the event with that sequence has been broadcast, or ctx ends; 0 is not waited
// for.
func (c *Cache) Applied(ctx context.Context, guildID, sequence uint64) {
	g := c.guild(guildID)
	if g == nil {
		return
	}
	w := waiter{sequence: sequence, applied: make(chan struct{})}
	g.mu.Lock()
	if g.sequence >= sequence {
		g.mu.Unlock()
		return
	}
	g.waiting = append(g.waiting, w)
	g.mu.Unlock()
	select {
	case <-w.applied:
	case <-ctx.Done():
		g.leave(w)
	}
}

// leave takes back a waiter that has lost its patience.
func (g *guild) leave(w waiter) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for i := range g.waiting {
		if g.waiting[i] == w {
			g.waiting = append(g.waiting[:i], g.waiting[i+1:]...)
			return
		}
	}
}
