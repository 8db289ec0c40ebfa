package guild

import (
	"fmt"
	"slices"
	"sync"
	"testing"

	"github.com/pona-realtime/pona/pkg/player"
	"github.com/pona-realtime/pona/pkg/socketio"
)

// upstream writes down what is asked for: +7 is Subscribe(7), -7 Unsubscribe(7).
type upstream chan int

func (u upstream) Subscribe(guildID uint64)   { u <- int(guildID) }
func (u upstream) Unsubscribe(guildID uint64) { u <- -int(guildID) }

// audience holds listeners that write down what they are sent. The guild's lock orders its calls; its
// own guards the tests' reading.
type audience struct {
	mu        sync.Mutex
	listeners map[uint64]*listener // by user
	runs      []string             // every Broadcast, as "room: n packets"
}

type listener struct {
	rooms []string
	got   []*socketio.Packet
}

func (a *audience) Broadcast(_ uint64, room string, packets []*socketio.Packet) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.runs = append(a.runs, fmt.Sprintf("%s: %d", room, len(packets)))
	for _, l := range a.listeners {
		if room == "" || slices.Contains(l.rooms, room) {
			l.got = append(l.got, packets...)
		}
	}
}

func (a *audience) Restart(_ uint64, handshake func(userID uint64) *socketio.Packet) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for userID, l := range a.listeners {
		l.got = append(l.got, handshake(userID))
	}
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
