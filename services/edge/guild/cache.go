// Package guild keeps the state of every guild that has listeners on this edge, and decides the order
// in which a listener's handshake and the guild's events reach it.
//
// State folds from the fanouts' snapshots and events by pkg/player, as it does there. A guild is
// subscribed when its first listener comes, lingers a while after the last one has gone, and is then
// forgotten. Each guild has one lock; it is held while an event is folded and broadcast, and while a
// listener enters. So a listener's handshake shows the state after some event, and what it is sent
// afterwards is exactly what follows that event.
//
//	link ──Snapshot, Deliver──▶ guild ──Broadcast──▶ Audience
//	                              ▲
//	              gateway ──Hold, Enter or Return, Applied, Release
package guild

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/pona-realtime/pona/pkg/socketio"
	edgev1 "github.com/pona-realtime/pona/proto/pona/edge/v1"
)

// Options tunes a [Cache].
type Options struct {
	Linger time.Duration // how long a guild without listeners is kept; 0 means 30s
	Wait   time.Duration // how long Hold waits for a guild's first snapshot; 0 means 5s
	Log    *slog.Logger  // events that make no sense; nil means none

	History HistoryOptions // of events that listeners may have missed

	Metrics prometheus.Registerer // nil means none
}

// Upstream brings the events of the guilds that are subscribed. Subscribe and Unsubscribe return at once.
type Upstream interface {
	Subscribe(guildID uint64)
	Unsubscribe(guildID uint64)
	// Replay reads stored events; the error is a gRPC status.
	Replay(ctx context.Context, request *edgev1.ReplayRequest) (*edgev1.ReplayResponse, error)
}

// Audience is the listeners of all guilds. Its methods are called under the guild's lock, in order,
// and must not wait for a client.
type Audience interface {
	// Broadcast sends a run of packets to who is in a room of the guild, or to all of the guild's
	// listeners if the room is empty, as one unit. The traceparent names the span that it belongs to, empty for none.
	// written, if not nil, is called once: when all of them have been written to, with how many they are and the
	// bytes they were given. It may be called at once, or later by anybody.
	Broadcast(guildID uint64, room string, packets []*socketio.Packet, traceparent string, written func(sockets, bytes int))

	// Restart has every listener of the guild join anew: events that it has not been sent are gone.
	Restart(guildID uint64)
}

// ErrUnknown says that nothing has been heard of a guild in time.
var ErrUnknown = errors.New("the guild's state has not come in time")

// Cache holds the guilds. All methods may be called at the same time.
type Cache struct {
	options  Options
	audience Audience
	history  *history
	measured measured

	ctx     context.Context // of recalls
	cancel  context.CancelFunc
	running sync.WaitGroup

	mu       sync.Mutex // taken before a guild's lock, never while holding one
	upstream Upstream
	guilds   map[uint64]*guild
	closed   bool
}

// NewCache makes an empty cache; [Cache.Connect] comes before the first Hold.
func NewCache(audience Audience, options Options) *Cache {
	if options.Linger <= 0 {
		options.Linger = 30 * time.Second
	}
	if options.Wait <= 0 {
		options.Wait = 5 * time.Second
	}
	if options.Log == nil {
		options.Log = slog.New(slog.DiscardHandler)
	}
	c := &Cache{options: options, audience: audience, history: newHistory(options.History), guilds: make(map[uint64]*guild)}
	c.ctx, c.cancel = context.WithCancel(context.Background())
	c.measured = c.measure(options.Metrics)
	return c
}

// Connect says where the guilds' events come from.
func (c *Cache) Connect(upstream Upstream) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.upstream = upstream
}

// Hold keeps a guild in the cache until Release, and waits until its state is known: not at all for
// one that is there already. With an error (ErrUnknown, or ctx's) nothing is held.
func (c *Cache) Hold(ctx context.Context, guildID uint64) error {
	c.mu.Lock()
	g := c.guilds[guildID]
	if g == nil {
		g = newGuild(guildID)
		c.guilds[guildID] = g
		c.upstream.Subscribe(guildID)
	}
	g.holds.Add(1)
	if g.idle != nil {
		g.idle.Stop() // or comes too late, and finds the guild held
	}
	c.mu.Unlock()

	select {
	case <-g.arrived:
		c.measured.hits.Inc()
		return nil
	default:
		c.measured.misses.Inc()
	}
	patience := time.NewTimer(c.options.Wait)
	defer patience.Stop()
	select {
	case <-g.arrived:
		return nil
	case <-ctx.Done():
		c.Release(guildID)
		return ctx.Err()
	case <-patience.C:
		c.Release(guildID)
		return ErrUnknown
	}
}

// Release takes back one Hold. The last one starts the guild's linger.
func (c *Cache) Release(guildID uint64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	g := c.guilds[guildID]
	if g == nil || g.holds.Add(-1) > 0 || c.closed {
		return
	}
	g.idle = time.AfterFunc(c.options.Linger, func() { c.forget(g) })
	g.idleSince = time.Now()
}

// forget ends a guild whose linger has passed, unless it is held again or has begun to linger anew.
func (c *Cache) forget(g *guild) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed || c.guilds[g.id] != g || g.holds.Load() > 0 || time.Since(g.idleSince) < c.options.Linger {
		return
	}
	delete(c.guilds, g.id)
	c.history.forget(g.id)
	c.upstream.Unsubscribe(g.id)
}

// Len is the number of guilds held or lingering.
func (c *Cache) Len() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.guilds)
}

// Close stops what lingers and what is read. Release may still be called, everything else not.
func (c *Cache) Close() {
	c.mu.Lock()
	c.closed = true
	for _, g := range c.guilds {
		if g.idle != nil {
			g.idle.Stop()
		}
	}
	c.mu.Unlock()
	c.cancel()
	c.running.Wait()
}

// guild is nil for one that nobody holds.
func (c *Cache) guild(guildID uint64) *guild {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.guilds[guildID]
}
