package redisbus

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/pona-realtime/pona/pkg/adapter"
	"github.com/pona-realtime/pona/pkg/adapter/redistest"
)

// TestChannelsOfLines has a member and a visitor of one namespace: what is subscribed to follows what each of them needs, and is
// given back when the last that needed it has gone.
func TestChannelsOfLines(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	const id = "9g7LAFz_q7mds8nMAAAA"
	for mode, rooms := range map[Mode][]string{Classic: {"r", id}, Sharded: {"r"}, ShardedPrivate: {"r", id}, ShardedStatic: nil} {
		t.Run(string(mode), func(t *testing.T) {
			b := connect(t, server.Addr(), Options{Key: string(mode), Mode: mode})
			want := func(what string, groups ...[]string) {
				t.Helper()
				ctx, cancel := context.WithTimeout(t.Context(), patience)
				defer cancel()
				if err := b.Synced(ctx); err != nil {
					t.Fatal(err)
				}
				got, all := b.subscriptions.names(), slices.Concat(groups...)
				slices.Sort(got)
				slices.Sort(all)
				if all = slices.Compact(all); !slices.Equal(got, all) {
					t.Errorf("%s: %q, want %q", what, got, all)
				}
				waitFor(t, func() bool { return b.Stats().Channels == len(all) }) // Redis has ended the others
			}
			line := func(visitor bool) (l adapter.Line, answers []string) {
				l = b.Connect("/", visitor, func(*adapter.Message) {})
				return l, b.wire.answerChannels("/", l.UID())
			}
			count := func(l adapter.Line, want int) {
				t.Helper()
				if n, err := l.Others(t.Context()); n != want || err != nil {
					t.Errorf("%d others, %v", n, err)
				}
			}
			var ofRooms []string
			for _, room := range rooms {
				channel, _ := b.wire.roomChannel("/", room)
				ofRooms = append(ofRooms, channel)
			}

			visitor, visitors := line(true)
			visitor.Enter("r")
			want("a visitor")
			member, answers := line(false)
			members := b.wire.memberChannels("/")
			want("a member", members)
			member.Enter("r")
			member.Enter(id)
			want("in rooms", members, ofRooms)
			visitor.Vacate("r") // is not in it
			want("a visitor is in no room", members, ofRooms)
			count(visitor, 1)
			want("a visitor asks", members, ofRooms, visitors)
			count(member, 0)
			want("a member asks", members, ofRooms, visitors, answers)
			visitor.Close()
			want("the visitor has gone", members, ofRooms, answers)
			member.Vacate("r")
			member.Vacate(id)
			want("out of rooms", members, answers)
			member.Close()
			want("nobody is there")
		})
	}
}

// TestWhatMakesRoomsNew lets a line publish: after an order to join, and only then, what is for a room goes to all.
func TestWhatMakesRoomsNew(t *testing.T) {
	l := &line{bus: &Bus{wire: traces["classic"], opts: Options{MaxMessage: 1 << 10, MaxQueued: 1 << 20}}, namespace: "/"}
	l.bus.publisher = newPublisher(l.bus)
	room := adapter.Target{Rooms: []string{"r"}}
	for _, kind := range []adapter.Kind{adapter.Broadcast, adapter.Leave, adapter.Disconnect, adapter.Fetch, adapter.ServerSide, adapter.AllRooms, adapter.Join} {
		if _, ok := l.onlyRoom(room); !ok {
			t.Errorf("before kind %d", kind)
		}
		if err := l.Publish(&adapter.Message{Kind: kind, Value: adapter.Value{JSON: []byte("[]")}}, nil); err != nil {
			t.Fatal(kind, err)
		}
	}
	if _, ok := l.onlyRoom(room); ok {
		t.Error("goes to the room's channel, which others do not listen to yet")
	}
	l.joined.Add(-int64(newRoom))
	if _, ok := l.onlyRoom(room); !ok {
		t.Error("never is old")
	}
}

// TestQueueIsBounded publishes while nothing is sent: in bytes and in messages there is an end to what waits.
func TestQueueIsBounded(t *testing.T) {
	b := &Bus{opts: Options{MaxMessage: 10, MaxQueued: 3 * publishQueue}}
	p := newPublisher(b)
	fill := func(size int) (taken int64) {
		for {
			if err := p.publish(letter{payload: make([]byte, size)}); err != nil {
				if !errors.Is(err, adapter.ErrFull) || p.bytes.Load() != taken*int64(size) {
					t.Errorf("%v, %d bytes wait", err, p.bytes.Load())
				}
				return taken
			}
			taken++
		}
	}
	if n := fill(1); n != publishQueue {
		t.Errorf("%d messages", n)
	}
	p = newPublisher(b)
	if n := fill(4); n != 3*publishQueue/4 {
		t.Errorf("%d messages of 4 bytes", n)
	}
	if err := p.publish(letter{payload: make([]byte, 11)}); !errors.Is(err, adapter.ErrTooLarge) {
		t.Error(err)
	}
	if n := b.counters.refused.Load(); n != 3 {
		t.Errorf("%d refused", n)
	}
}

// TestWhatIsSentMakesRoom publishes many times what may wait.
func TestWhatIsSentMakesRoom(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	b := connect(t, server.Addr(), Options{MaxQueued: 1 << 10})
	heard := make(chan *adapter.Message, 1)
	b.Connect("/", false, func(m *adapter.Message) { heard <- m })
	if err := b.Synced(t.Context()); err != nil {
		t.Fatal(err)
	}
	l := b.Connect("/", true, func(*adapter.Message) {})
	for range 20 {
		if err := l.Publish(&adapter.Message{Kind: adapter.Broadcast, Value: adapter.Value{JSON: []byte(`["` + strings.Repeat("x", 500) + `"]`)}}, nil); err != nil {
			t.Fatal(err)
		}
		<-heard
	}
	waitFor(t, func() bool { return b.Stats().Published == 20 })
	if s := b.Stats(); s.Refused != 0 || s.Overflowed != 0 {
		t.Errorf("%+v", s)
	}
}

// TestLostQuestions lets Redis go when a request's question is on its way to it: the request ends with the reason.
func TestLostQuestions(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	b := connect(t, server.Addr(), Options{})
	server.Kill()
	done := make(chan error, 1)
	l := &line{bus: b, namespace: "/"}
	if err := l.Publish(&adapter.Message{Kind: adapter.AllRooms}, func(err error) { done <- err }); err != nil {
		t.Fatal(err)
	}
	if err := <-done; !errors.Is(err, adapter.ErrUnreachable) {
		t.Error(err)
	}
	waitFor(t, func() bool { return b.Stats().Refused == 1 })
	b.publisher.first.failedAt.Store(time.Now().Add(time.Hour).UnixNano())
	if err := l.Publish(&adapter.Message{Kind: adapter.AllRooms}, nil); !errors.Is(err, adapter.ErrUnreachable) || b.Stats().Refused != 2 {
		t.Errorf("right after: %v, %+v", err, b.Stats())
	}
}

// TestNewRefuses what it cannot be made of.
func TestNewRefuses(t *testing.T) {
	ring := redis.NewRing(&redis.RingOptions{})
	defer ring.Close()
	if _, err := New(ring, Options{}); err == nil || !strings.Contains(err.Error(), "a *redis.Ring cannot be used") {
		t.Error(err)
	}
	client := redis.NewClient(&redis.Options{})
	defer client.Close()
	if _, err := New(client, Options{Mode: "shared"}); err == nil || !strings.Contains(err.Error(), `mode "shared", must be classic`) {
		t.Error(err)
	}
}
