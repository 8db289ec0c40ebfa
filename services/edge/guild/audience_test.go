package guild

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/pona-realtime/pona/pkg/player"
	"github.com/pona-realtime/pona/pkg/socketio"
	edgev1 "github.com/pona-realtime/pona/proto/pona/edge/v1"
	playerv1 "github.com/pona-realtime/pona/proto/pona/player/v1"
)

// upstream writes down what is asked for: +7 is Subscribe(7), -7 Unsubscribe(7). It keeps no events.
type upstream chan int

func (u upstream) Subscribe(guildID uint64)   { u <- int(guildID) }
func (u upstream) Unsubscribe(guildID uint64) { u <- -int(guildID) }
func (u upstream) Replay(context.Context, *edgev1.ReplayRequest) (*edgev1.ReplayResponse, error) {
	return nil, status.Error(codes.OutOfRange, "nothing is kept")
}

// audience holds listeners that write down what they are sent. The guild's lock orders its calls; its
// own guards the tests' reading.
type audience struct {
	mu        sync.Mutex
	listeners map[uint64]*listener // by user
	runs      []string             // every Broadcast, as "room: n packets"
	restarts  int
	late      bool     // writes when the test says so
	unwritten []func() // what is to be called then
}

type listener struct {
	rooms []string
	got   []*socketio.Packet
}

func (a *audience) Broadcast(_ uint64, room string, packets []*socketio.Packet, _ string, written func(sockets, bytes int)) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.runs = append(a.runs, fmt.Sprintf("%s: %d", room, len(packets)))
	reached := 0
	for _, l := range a.listeners {
		if room == "" || slices.Contains(l.rooms, room) {
			l.got = append(l.got, packets...)
			reached++
		}
	}
	switch {
	case written == nil:
	case a.late:
		a.unwritten = append(a.unwritten, func() { written(reached, 10*reached) })
	default:
		written(reached, 10*reached)
	}
}

func (a *audience) Restart(uint64) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.restarts++
}

// enter lets a listener in; the guild must be held.
func (a *audience) enter(c *Cache, guildID, userID uint64) {
	c.Enter(guildID, userID, func(handshake *socketio.Packet) {
		a.mu.Lock()
		defer a.mu.Unlock()
		a.listeners[userID] = &listener{
			rooms: []string{player.MusicRoom, player.UserRoom(userID)},
			got:   []*socketio.Packet{handshake},
		}
	})
}

func newCache(t *testing.T, options Options) (*Cache, *audience, upstream) {
	a, u := &audience{listeners: make(map[uint64]*listener)}, make(upstream, 1024)
	c := NewCache(a, options)
	c.Connect(u)
	t.Cleanup(c.Close)
	return c, a, u
}

// snapshot and deliver give the cache what a link would.
func snapshot(c *Cache, guildID, sequence uint64, state *playerv1.GuildState) {
	c.Snapshot(&edgev1.Snapshot{GuildId: guildID, Sequence: sequence, State: state})
}

func deliver(c *Cache, guildID, sequence uint64, event *playerv1.Event) {
	c.Deliver(&edgev1.Delivery{GuildId: guildID, Sequence: sequence, StoredAtNs: time.Now().UnixNano()}, event, nil)
}
