package guild

import (
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/pona-realtime/pona/pkg/player"
	"github.com/pona-realtime/pona/pkg/socketio"
	edgev1 "github.com/pona-realtime/pona/proto/pona/edge/v1"
	playerv1 "github.com/pona-realtime/pona/proto/pona/player/v1"
	"github.com/pona-realtime/pona/services/edge/edgetest"
)

func volume(n uint64) *playerv1.Event { return edgetest.Volume(strconv.FormatUint(n, 10)) }

func positionAt(number string) *playerv1.Event { return edgetest.Position(number) }

// playing is the state of a guild whose volume is n.
func playing(n uint64) *playerv1.GuildState {
	return edgetest.Playing(strconv.FormatUint(n, 10))
}

// hold holds a guild with that state, at the sequence that is its volume.
func hold(t *testing.T, c *Cache, u upstream, guildID, n uint64) {
	t.Helper()
	var answered sync.WaitGroup
	answered.Go(func() {
		<-u
		snapshot(c, guildID, n, playing(n))
	})
	if err := c.Hold(t.Context(), guildID); err != nil {
		t.Fatal(err)
	}
	answered.Wait()
}

// TestJoinsAreAtomic lets many listeners in while events come: each must get a handshake with the state
// after some event, and then exactly the events after that one.
func TestJoinsAreAtomic(t *testing.T) {
	const guilds, listeners, events = 3, 30, 300
	c, a, u := newCache(t, Options{})
	for guildID := uint64(1); guildID <= guilds; guildID++ {
		hold(t, c, u, guildID, 1)
	}
	audiences := make(map[uint64]*audience)
	for guildID := uint64(1); guildID <= guilds; guildID++ {
		audiences[guildID] = &audience{listeners: make(map[uint64]*listener)}
	}
	*a = audience{}
	c.audience = perGuild(audiences)

	var all sync.WaitGroup
	for guildID := uint64(1); guildID <= guilds; guildID++ {
		all.Go(func() {
			for sequence := uint64(2); sequence <= events; sequence++ {
				deliver(c, guildID, sequence, volume(sequence))
				if rand.IntN(3) == 0 {
					deliver(c, guildID, sequence, volume(sequence)) // twice
				}
			}
		})
		for userID := uint64(1); userID <= listeners; userID++ {
			all.Go(func() {
				if err := c.Hold(t.Context(), guildID); err != nil {
					t.Error(err)
				}
				audiences[guildID].enter(c, guildID, userID)
			})
		}
	}
	all.Wait()
	r := newReader(t)
	for guildID, a := range audiences {
		if len(a.listeners) != listeners {
			t.Errorf("guild %d: %d listeners", guildID, len(a.listeners))
		}
		for userID, l := range a.listeners {
			next := r.shownVolume(l.got[0])
			for _, packet := range l.got[1:] {
				next++
				if event, argument := r.read(packet); event != "volume_updated" || argument != strconv.FormatUint(next, 10) {
					t.Fatalf("guild %d, user %d: %s %s instead of %d", guildID, userID, event, argument, next)
				}
			}
			if next != events {
				t.Errorf("guild %d, user %d: the last is %d", guildID, userID, next)
			}
		}
	}
}

// perGuild is an audience for each guild.
type perGuild map[uint64]*audience

func (p perGuild) Broadcast(guildID uint64, room string, packets []*socketio.Packet, _ string, written func(sockets, bytes int)) {
	p[guildID].Broadcast(guildID, room, packets, "", written)
}

func (p perGuild) Restart(guildID uint64) { p[guildID].Restart(guildID) }

func TestAHappeningIsOneUnit(t *testing.T) {
	c, a, u := newCache(t, Options{})
	hold(t, c, u, 7, 1)
	a.enter(c, 7, 1)
	a.enter(c, 7, 2)
	const track, queue = `{"title":"<&>é","duration":9223372036854776000}`, `[{"title":"<&>é","duration":9223372036854776000}, {"b":1.50}]`
	deliver(c, 7, 2, &playerv1.Event{Kind: &playerv1.Event_TrackStarted{TrackStarted: &playerv1.TrackStarted{
		Track: []byte(track), Queue: []byte(queue),
	}}})
	deliver(c, 7, 3, &playerv1.Event{Kind: &playerv1.Event_MemberStateUpdated{MemberStateUpdated: &playerv1.MemberStateUpdated{
		UserId: 2, State: []byte(`{"newVC":"5"}`),
	}}})
	deliver(c, 7, 4, &playerv1.Event{Kind: &playerv1.Event_TrackMoved{TrackMoved: &playerv1.TrackMoved{Member: []byte(`{}`)}}})
	deliver(c, 7, 5, &playerv1.Event{Kind: &playerv1.Event_QueueEnded{QueueEnded: &playerv1.QueueEnded{}}})
	deliver(c, 7, 0, positionAt("5.5"))
	want := []string{player.MusicRoom + ": 2", "stream:2: 1", ": 1", player.MusicRoom + ": 1", player.MusicRoom + ": 1"}
	if !slices.Equal(a.runs, want) {
		t.Errorf("runs %q, want %q", a.runs, want)
	}
	r := newReader(t)
	for userID, want := range map[uint64][]string{
		1: {"track_started " + track, "queue_updated " + queue, "track_moved {}", "queue_ended ", "track_pos_updated 5.5"},
		2: {"track_started " + track, "queue_updated " + queue, `member_state_updated {"newVC":"5"}`, "track_moved {}", "queue_ended ", "track_pos_updated 5.5"},
	} {
		var got []string
		for _, packet := range a.listeners[userID].got[1:] {
			event, argument := r.read(packet)
			got = append(got, event+" "+argument)
		}
		if !slices.Equal(got, want) {
			t.Errorf("user %d got %q, want %q", userID, got, want)
		}
	}
	a.enter(c, 7, 3)
	_, shown := r.read(a.listeners[3].got[0])
	if !strings.Contains(shown, `"position":5.5,`) {
		t.Errorf("the handshake shows another position: %s", shown)
	}
}

func TestASecondSnapshotStartsListenersAgain(t *testing.T) {
	c, a, u := newCache(t, Options{})
	hold(t, c, u, 7, 10)
	a.enter(c, 7, 1)
	snapshot(c, 7, 20, playing(20))
	deliver(c, 7, 20, volume(20)) // in it
	deliver(c, 7, 21, volume(21))
	if got := a.listeners[1].got; len(got) != 2 || a.restarts != 1 {
		t.Errorf("%d packets, %d restarts", len(got), a.restarts)
	}
}

func TestAnUnknownKindIsPassedOver(t *testing.T) {
	c, a, u := newCache(t, Options{})
	hold(t, c, u, 7, 1)
	a.enter(c, 7, 1)
	deliver(c, 7, 2, &playerv1.Event{EventId: "of tomorrow"})
	deliver(c, 7, 3, volume(3))
	if got := a.listeners[1].got; len(got) != 2 {
		t.Errorf("%d packets", len(got))
	}
	c.Applied(t.Context(), 7, 3)
}

// TestWrittenIsToldOnce delivers events for a room, and for nobody.
func TestWrittenIsToldOnce(t *testing.T) {
	c, a, u := newCache(t, Options{})
	hold(t, c, u, 7, 1)
	a.enter(c, 7, 1)
	a.enter(c, 7, 2)
	a.late = true
	var told [][2]int
	give := func(sequence uint64, event *playerv1.Event) {
		t.Helper()
		c.Deliver(&edgev1.Delivery{GuildId: 7, Sequence: sequence}, event, func(sockets, bytes int) { told = append(told, [2]int{sockets, bytes}) })
	}
	write := func() {
		for _, f := range a.unwritten {
			if len(told) != 0 {
				t.Error("told before all have been written to")
			}
			f()
		}
		a.unwritten = nil
	}
	want := func(what string, want ...[2]int) {
		t.Helper()
		if !slices.Equal(told, want) {
			t.Errorf("%s: told %v, want %v", what, told, want)
		}
		told = nil
	}
	give(2, volume(2))
	want("not yet written")
	write()
	want("one room", [2]int{2, 20})
	give(2, volume(2))
	give(4, &playerv1.Event{EventId: "of tomorrow"})
	write()
	want("what has come before, and what nobody knows")
	give(5, edgetest.Generic("nowhere", "x", "[]"))
	write()
	want("an empty room", [2]int{0, 0})
	c.Release(7)
	give(6, volume(6))
	write()
	want("nobody listens")
	c.Deliver(&edgev1.Delivery{GuildId: 8, Sequence: 1}, volume(1), func(int, int) { t.Error("a guild that nobody has asked for") })
}

// TestRunsAreWrittenTogether is for an event with emits for several rooms, of which there is no kind yet.
func TestRunsAreWrittenTogether(t *testing.T) {
	var told [][2]int
	written := gather(3, func(sockets, bytes int) { told = append(told, [2]int{sockets, bytes}) })
	written(1, 10)
	written(0, 0)
	if len(told) != 0 {
		t.Errorf("told %v before the last one", told)
	}
	if written(2, 20); !slices.Equal(told, [][2]int{{3, 30}}) {
		t.Errorf("told %v", told)
	}
}
