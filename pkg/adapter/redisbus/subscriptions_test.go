package redisbus

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"testing"

	"github.com/redis/go-redis/v9"

	"github.com/pona-realtime/pona/pkg/adapter"
	"github.com/pona-realtime/pona/pkg/adapter/adaptertest"
	"github.com/pona-realtime/pona/pkg/adapter/redistest"
)

// unkept is the book of subscriptions without its keeper, and a connection in it that nobody reads.
func unkept(t *testing.T) (*subscriptions, *conn) {
	b := &Bus{opts: Options{Log: slog.New(slog.DiscardHandler)}}
	s := newSubscriptions(b)
	node := redis.NewClient(&redis.Options{})
	t.Cleanup(func() { _ = node.Close() })
	on := &conn{node: node, address: "here", pubsub: node.Subscribe(ended), unconfirmed: map[string]struct{}{}}
	s.conns[on.address] = on
	return s, on
}

// asked lets a line want channels, and has them asked for on a connection.
func (s *subscriptions) asked(t *testing.T, l *line, on *conn, names ...string) {
	t.Helper()
	s.want(l, names...)
	taken, _, _ := s.take()
	if assigned, rest := s.assign(on, taken); !slices.Equal(assigned, names) || len(rest) > 0 {
		t.Fatal(assigned, rest)
	}
}

// TestWantedWhileItEnds wants a channel again that Redis has been told to end: it is waited for until it is subscribed to anew, or a
// request would be answered by who is no longer heard of.
func TestWantedWhileItEnds(t *testing.T) {
	s, on := unkept(t)
	l := &line{bus: s.bus}
	s.asked(t, l, on, "c")
	s.confirm(on, "c")
	s.forget(l, "c")
	if _, unwanted, err := s.take(); len(unwanted[on]) != 1 || err != nil {
		t.Fatal(unwanted, err)
	}
	s.want(l, "c")
	if ready, _, err := s.awaited("c"); ready == nil || err != nil {
		t.Errorf("is not waited for: %v", err)
	}
	s.remove(on, "c")
	if names, _, err := s.take(); len(names) != 1 || err != nil {
		t.Errorf("subscribes to %q, %v", names, err)
	}
}

// TestLostBeforeItIsAsked loses a connection that the keeper is about to use: what it holds in its hands goes to the next one.
func TestLostBeforeItIsAsked(t *testing.T) {
	s, on := unkept(t)
	s.want(&line{bus: s.bus}, "c")
	names, _, _ := s.take()
	s.lose(on, io.EOF)
	assigned, rest := s.assign(on, names)
	s.putBack(rest)
	if names, _, _ := s.take(); len(assigned) > 0 || !slices.Equal(names, []string{"c"}) {
		t.Errorf("assigned %q, left %q", assigned, names)
	}
}

// TestConfirmedAfterARefusal refuses one of several channels asked for at once, so that none of them is believed to be subscribed to.
// What Redis confirms all the same is either taken for it, or ended there: it counts a subscriber.
func TestConfirmedAfterARefusal(t *testing.T) {
	s, on := unkept(t)
	l := &line{bus: s.bus}
	s.asked(t, l, on, "refused", "wanted", "given up")
	s.refuse(on, errors.New("MOVED"))
	s.forget(l, "given up")
	if names, _, err := s.take(); len(names) != 2 || err == nil {
		t.Fatal(names, err)
	}
	s.confirm(on, "wanted")
	s.confirm(on, "given up")
	if ready, _, _ := s.awaited("wanted"); ready != nil {
		t.Error("is waited for though Redis has confirmed it")
	}
	if _, unwanted, _ := s.take(); !slices.Equal(unwanted[on], []string{"given up"}) {
		t.Errorf("ends %q", unwanted[on])
	}
	if assigned, _ := s.assign(on, []string{"refused", "wanted"}); !slices.Equal(assigned, []string{"refused"}) {
		t.Errorf("asks again for %q", assigned)
	}
	s.lose(on, io.EOF)
	s.confirm(on, "refused")
	if ready, _, err := s.awaited("refused"); ready == nil && err == nil {
		t.Error("a connection that is lost has confirmed it")
	}
}

// TestOutagesOfNobody takes Redis away while nothing is subscribed to, or no more when it comes back: that is no outage, or one that
// ends, and the first request after it works.
func TestOutagesOfNobody(t *testing.T) {
	t.Parallel()
	for _, leaves := range []string{"before", "meanwhile"} {
		t.Run(leaves, func(t *testing.T) {
			t.Parallel()
			server := redistest.Start(t)
			var log lineLog
			b := connect(t, server.Addr(), Options{Log: log.logger()})
			visitor := b.Connect("/", true, func(*adapter.Message) {})
			ask := func(l adapter.Line) {
				t.Helper()
				if _, err := l.Others(t.Context()); err != nil {
					t.Errorf("a request: %v", err)
				}
			}
			ask(visitor)
			leave := func() {
				visitor.Close()
				waitFor(t, func() bool { return b.Stats().Channels == 0 })
			}
			var lines []string
			if leaves == "before" {
				leave()
			}
			server.Kill()
			waitFor(t, func() bool { return b.Stats().Lost == 1 })
			if leaves != "before" {
				waitFor(t, func() bool { return !b.Stats().Reachable })
				leave()
				lines = []string{"no subscriptions at Redis, rooms end at this server, trying again", "connected to Redis, subscribing to rooms again"}
			}
			server.Restart()
			waitFor(t, func() bool { return b.Stats().Reachable })
			again := b.Connect("/", true, func(*adapter.Message) {})
			defer again.Close()
			ask(again)
			log.want(t, lines...)
		})
	}
}

// TestOrdersSayWhatBecomesOfThem tells other nodes something with Redis there, away, and back.
func TestOrdersSayWhatBecomesOfThem(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	b := connect(t, server.Addr(), Options{})
	node := adapter.NewNode(b, adapter.Options{})
	defer node.Close()
	c := node.Visit("/")
	defer c.Leave()
	tell := func() error { return c.Tell(t.Context(), &adapter.Message{Kind: adapter.Disconnect}) }
	if err := tell(); err != nil {
		t.Error(err)
	}
	server.Kill()
	for i := range 3 {
		waitFor(t, func() bool { return !b.publisher.first.failing() }) // or it is refused without an attempt
		if err := tell(); !errors.Is(err, adapter.ErrUnreachable) {
			t.Errorf("%d: %v", i, err)
		}
	}
	server.Restart()
	waitFor(t, func() bool { return tell() == nil })
}

// TestLinesThatAreClosed cannot ask: nobody would end what they subscribe to, and they count themselves no more.
func TestLinesThatAreClosed(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	b := connect(t, server.Addr(), Options{})
	node := adapter.NewNode(connect(t, server.Addr(), Options{}), adapter.Options{})
	defer node.Close()
	if _, err := node.Join("/", adaptertest.NewLocal()).Servers(t.Context()); err != nil {
		t.Fatal(err)
	}
	l := b.Connect("/", false, func(*adapter.Message) {})
	if n, err := l.Others(t.Context()); n != 1 || err != nil {
		t.Error(n, err)
	}
	l.Close()
	if n, err := l.Others(t.Context()); n != 0 || !errors.Is(err, adapter.ErrUnreachable) {
		t.Error(n, err)
	}
	waitFor(t, func() bool { return b.Stats().Channels == 0 })
}

// BenchmarkRefuse is what a refused subscription costs among a hundred thousand that are confirmed.
func BenchmarkRefuse(b *testing.B) {
	s := newSubscriptions(&Bus{opts: Options{Log: slog.New(slog.DiscardHandler)}})
	on := &conn{address: "here", unconfirmed: map[string]struct{}{}}
	s.conns[on.address] = on
	for i := range 100_000 {
		s.channels[fmt.Sprint(i)] = &subscription{conn: on, confirmed: true}
	}
	for b.Loop() {
		s.refuse(on, io.EOF)
	}
}
