package link

import (
	"context"
	"errors"
	"fmt"
	"net"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	edgev1 "github.com/pona-realtime/pona/proto/pona/edge/v1"
	playerv1 "github.com/pona-realtime/pona/proto/pona/player/v1"
	"github.com/pona-realtime/pona/services/edge/edgetest"
)

// recorder writes down what is delivered, "guild=sequence" for events, "guild:sequence" for snapshots.
type recorder chan string

func (r recorder) Snapshot(s *edgev1.Snapshot) {
	r <- fmt.Sprintf("%d:%d", s.GetGuildId(), s.GetSequence())
}

func (r recorder) Deliver(d *edgev1.Delivery, event *playerv1.Event, _ func(sockets, bytes int)) {
	r <- fmt.Sprintf("%d=%d %s%s", d.GetGuildId(), d.GetSequence(),
		event.GetVolumeUpdated().GetVolume(), event.GetPositionUpdated().GetPosition())
}

// want waits for exactly these deliveries, in this order.
func (r recorder) want(t *testing.T, lines ...string) {
	t.Helper()
	for _, line := range lines {
		select {
		case got := <-r:
			if got != line {
				t.Fatalf("got %q, want %q", got, line)
			}
		case <-time.After(edgetest.Patience):
			t.Fatalf("waiting for %q", line)
		}
	}
}

// run starts links to the fanouts that end before the test does.
func run(t *testing.T, fanouts ...*edgetest.Fanout) (*Links, recorder) {
	t.Helper()
	options := Options{EdgeID: "edge-1"}
	for _, f := range fanouts {
		options.Fanouts = append(options.Fanouts, f.Addr())
	}
	return runWith(t, options)
}

func runWith(t *testing.T, options Options) (*Links, recorder) {
	t.Helper()
	got := make(recorder, 1024)
	return runTo(t, got, options), got
}

// runTo starts links that end before the test does.
func runTo(t *testing.T, guilds Guilds, options Options) *Links {
	t.Helper()
	l, err := New(guilds, options)
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() { l.Run(ctx); close(ended) }()
	t.Cleanup(func() { stop(); <-ended })
	return l
}

// accept is the edge's next stream to f, past its greeting.
func accept(t *testing.T, f *edgetest.Fanout) *edgetest.Stream {
	t.Helper()
	s := f.Accept(t)
	if id := s.Hello(t); id != "edge-1" {
		t.Errorf("edge id %q", id)
	}
	return s
}

func volume(guildID, sequence uint64, number string) *edgev1.Delivery {
	return edgetest.Delivery(guildID, sequence, edgetest.Volume(number))
}

// expect checks a Subscribe; after is -1 for one without sequence.
func expect(t *testing.T, s *edgetest.Stream, guildID uint64, after int64) {
	t.Helper()
	got := s.Subscribed(t)
	resumes := int64(-1)
	if got.AfterSequence != nil {
		resumes = int64(got.GetAfterSequence())
	}
	if got.GetGuildId() != guildID || resumes != after {
		t.Errorf("subscribed to %d after %d, want %d after %d", got.GetGuildId(), resumes, guildID, after)
	}
}

// asked is the edge's next stream to f, which owns everything and is asked for guild 7 after a sequence, -1 for from now on.
func asked(t *testing.T, f *edgetest.Fanout, after int64) *edgetest.Stream {
	t.Helper()
	s := accept(t, f)
	s.Owned(1, 1, 0)
	expect(t, s, 7, after)
	return s
}

// subscribed runs links to one fanout, which has been asked for guild 7 and has not answered.
func subscribed(t *testing.T) (*Links, recorder, *edgetest.Fanout, *edgetest.Stream) {
	t.Helper()
	f := edgetest.StartFanout(t)
	l, got := run(t, f)
	l.Subscribe(7)
	return l, got, f, asked(t, f, -1)
}

func TestSnapshotThenEvents(t *testing.T) {
	_, got, _, s := subscribed(t)
	s.Batch(volume(7, 9, "early")) // of an earlier subscription: there is no snapshot yet
	s.Snapshot(7, 10, nil)
	s.Batch(volume(7, 11, "1"), volume(8, 12, "not wanted"), volume(7, 13, "2"))
	s.Batch(volume(7, 13, "again"), volume(7, 10, "old"), edgetest.Delivery(7, 0, edgetest.Position("5.5")))
	s.Batch(volume(7, 14, "3"))
	got.want(t, "7:10", "7=11 1", "7=13 2", "7=0 5.5", "7=14 3")
}

// after is a delivery that names the guild's event before it.
func after(previous uint64, d *edgev1.Delivery) *edgev1.Delivery {
	d.PreviousSequence = previous
	return d
}

func TestAGapInAStreamIsClosed(t *testing.T) {
	_, got, _, s := subscribed(t)
	s.Snapshot(7, 10, nil)
	s.Batch(after(10, volume(7, 11, "1")), after(12, volume(7, 13, "3")), after(13, volume(7, 14, "4")))
	got.want(t, "7:10", "7=11 1")
	if id := s.Unsubscribed(t); id != 7 {
		t.Errorf("guild %d", id)
	}
	expect(t, s, 7, 11)
	s.Batch(after(14, volume(7, 15, "on its way of before")))
	s.Batch(after(11, volume(7, 12, "2")), after(12, volume(7, 13, "3")))
	got.want(t, "7=12 2", "7=13 3")
	s.Batch(after(14, volume(7, 15, "another gap")))
	s.Unsubscribed(t)
	expect(t, s, 7, 13)
}

func TestAPositionDoesNotOvertakeItsEvent(t *testing.T) {
	_, got, _, s := subscribed(t)
	s.Snapshot(7, 10, nil)
	s.Batch(after(11, edgetest.Delivery(7, 0, edgetest.Position("1"))), after(10, volume(7, 11, "a")))
	s.Batch(after(11, edgetest.Delivery(7, 0, edgetest.Position("2"))))
	got.want(t, "7:10", "7=11 a", "7=0 2")
}

// witness has s bring guild 8, in partition 1 of 2, and gives what waits until the edge has taken
// everything that was sent on s.
func witness(t *testing.T, l *Links, s *edgetest.Stream, got recorder) (settle func()) {
	t.Helper()
	s.Owned(1, 2, 1)
	l.Subscribe(8)
	expect(t, s, 8, -1)
	s.Snapshot(8, 1, nil)
	got.want(t, "8:1")
	sequence := uint64(1)
	return func() {
		t.Helper()
		sequence++
		s.Batch(volume(8, sequence, "settled"))
		got.want(t, fmt.Sprintf("8=%d settled", sequence))
	}
}

func TestAStreamBreaks(t *testing.T) {
	for _, end := range []error{
		nil,
		status.Error(codes.ResourceExhausted, "slow reader"),
		status.Error(codes.Unavailable, "going away"),
	} {
		t.Run(fmt.Sprint(end), func(t *testing.T) {
			_, got, f, s := subscribed(t)
			s.Snapshot(7, 10, nil)
			s.Batch(volume(7, 11, "1"))
			got.want(t, "7:10", "7=11 1")
			s.Cut(end)

			s = asked(t, f, 11)
			s.Batch(volume(7, 11, "1"), volume(7, 12, "2"))
			got.want(t, "7=12 2")
		})
	}
}

func TestABrokenSnapshotIsAskedForAgain(t *testing.T) {
	_, got, f, s := subscribed(t)
	s.Cut(nil)
	s = asked(t, f, -1)
	s.Snapshot(7, 0, nil)
	got.want(t, "7:0")
	s.Cut(nil)
	asked(t, f, 0) // nothing has happened in the guild, and nothing is missing
}

func TestTheOwnerChanges(t *testing.T) {
	one, two := edgetest.StartFanout(t), edgetest.StartFanout(t)
	l, got := run(t, one, two)
	l.Subscribe(7)
	a, b := accept(t, one), accept(t, two)
	b.Owned(0, 0)
	settle := witness(t, l, a, got)
	a.Owned(5, 2, 0)
	expect(t, a, 7, -1)
	a.Snapshot(7, 10, nil)
	a.Batch(volume(7, 11, "1"))
	got.want(t, "7:10", "7=11 1")

	b.Owned(6, 2, 0) // overrules before the other has let go
	expect(t, b, 7, 11)
	a.Batch(volume(7, 12, "of the old owner"))
	settle()
	b.Batch(volume(7, 11, "1"), volume(7, 12, "2"))
	got.want(t, "7=12 2")
	a.Released(0)
	settle()
	b.Batch(volume(7, 13, "3"))
	got.want(t, "7=13 3")

	b.Released(0) // and back, in good order: the same stream goes on
	a.Owned(7, 2, 0)
	expect(t, a, 7, 13)
	a.Batch(volume(7, 14, "4"))
	got.want(t, "7=14 4")
}

func TestTheHighestEpochIsBelieved(t *testing.T) {
	one, two := edgetest.StartFanout(t), edgetest.StartFanout(t)
	l, got := run(t, one, two)
	l.Subscribe(7)
	a, b := accept(t, one), accept(t, two)
	b.Owned(6, 2, 0)
	expect(t, b, 7, -1)
	b.Snapshot(7, 10, nil)
	got.want(t, "7:10")
	settle := witness(t, l, a, got)
	a.Owned(5, 2, 0)                                   // believes that it still owns
	a.Snapshot(7, 99, nil)                             // and was never asked
	a.Batch(volume(7, 11, "of one that owns nothing")) // so nothing of it is taken
	settle()
	b.Batch(volume(7, 11, "1"))
	got.want(t, "7=11 1")
	b.Cut(nil) // only the other is left, so it is believed
	expect(t, a, 7, 11)
}

func TestAnOverruledOwnerReturns(t *testing.T) {
	one, two := edgetest.StartFanout(t), edgetest.StartFanout(t)
	l, got := run(t, one, two)
	l.Subscribe(7)
	a, b := accept(t, one), accept(t, two)
	settle := witness(t, l, a, got)
	a.Owned(5, 2, 0)
	expect(t, a, 7, -1)
	a.Snapshot(7, 10, nil)
	got.want(t, "7:10")
	b.Owned(6, 2, 0)
	expect(t, b, 7, 10)
	a.Batch(volume(7, 11, "dropped"))
	settle()
	b.Cut(nil)
	// What came of the first owner meanwhile was dropped: its stream is begun anew.
	a = accept(t, one)
	a.Owned(5, 2, 0)
	expect(t, a, 7, 10)
	a.Batch(volume(7, 11, "1"))
	got.want(t, "7=11 1")
}

func TestReset(t *testing.T) {
	_, got, _, s := subscribed(t)
	s.Snapshot(7, 100, nil)
	s.Reset(7)
	s.Batch(volume(7, 101, "of the history that is gone"))
	s.Snapshot(7, 3, nil) // the stream was made anew and counts from 1
	s.Batch(volume(7, 4, "1"))
	got.want(t, "7:100", "7:3", "7=4 1")
}

func TestAnUnexpectedSnapshotShowsAGap(t *testing.T) {
	_, got, _, s := subscribed(t)
	s.Snapshot(7, 10, nil)
	s.Snapshot(7, 9, nil)  // old
	s.Snapshot(7, 10, nil) // nothing is missing
	s.Snapshot(7, 12, nil)
	s.Batch(volume(7, 12, "in the snapshot"), volume(7, 13, "1"))
	got.want(t, "7:10", "7:12", "7=13 1")
}

func TestUnsubscribe(t *testing.T) {
	l, got, _, s := subscribed(t)
	s.Snapshot(7, 10, nil)
	got.want(t, "7:10")
	l.Unsubscribe(7)
	if id := s.Unsubscribed(t); id != 7 {
		t.Errorf("guild %d", id)
	}
	l.Subscribe(7) // nothing is known any more
	expect(t, s, 7, -1)
	s.Batch(volume(7, 11, "sent before the Unsubscribe came"))
	s.Snapshot(7, 12, nil)
	got.want(t, "7:12")
}

func TestASnapshotOnItsWayIsWaitedFor(t *testing.T) {
	l, got, _, s := subscribed(t)
	l.Unsubscribe(7) // not said before the snapshot has come
	l.Subscribe(8)   // said at once
	expect(t, s, 8, -1)
	s.Snapshot(7, 10, nil)
	if id := s.Unsubscribed(t); id != 7 {
		t.Errorf("guild %d", id)
	}
	s.Snapshot(8, 11, nil)
	got.want(t, "8:11")
}

func TestNonsenseEndsTheStream(t *testing.T) {
	for name, say := range map[string]func(s *edgetest.Stream){
		"a partition out of range":  func(s *edgetest.Stream) { s.Owned(1, 4, 4) },
		"partitions of none":        func(s *edgetest.Stream) { s.Owned(1, 0, 1) },
		"too many partitions":       func(s *edgetest.Stream) { s.Owned(1, maxPartitions+1) },
		"an event that is none":     func(s *edgetest.Stream) { s.Batch(&edgev1.Delivery{GuildId: 7, Sequence: 11, Event: []byte{0xff}}) },
		"an event of another guild": func(s *edgetest.Stream) { d := volume(8, 11, "1"); d.GuildId = 7; s.Batch(d) },
	} {
		t.Run(name, func(t *testing.T) {
			_, got, f, s := subscribed(t)
			s.Snapshot(7, 10, nil)
			got.want(t, "7:10")
			say(s)
			<-s.Ended
			asked(t, f, 10)
		})
	}
}

func TestAFanoutIsKilledAndComesBack(t *testing.T) {
	f := edgetest.StartFanout(t)
	connected := make(chan bool, 16)
	hear := func(want bool) {
		t.Helper()
		select {
		case got := <-connected:
			if got != want {
				t.Errorf("connected: %v", got)
			}
		case <-time.After(edgetest.Patience):
			t.Fatal("nothing heard")
		}
	}
	l, got := runWith(t, Options{
		EdgeID: "edge-1", Fanouts: []string{f.Addr()}, Connected: func(yes bool) { connected <- yes },
	})
	hear(false)
	l.Subscribe(7)
	s := asked(t, f, -1)
	hear(true)
	s.Snapshot(7, 10, nil)
	got.want(t, "7:10")
	address := f.Addr()
	f.Stop()
	<-s.Ended
	hear(false)
	f = edgetest.StartFanout(t, address)
	s = accept(t, f)
	s.Owned(2, 1, 0)
	expect(t, s, 7, 10)
}

func TestEveryAddressOfANameIsDialled(t *testing.T) {
	f := edgetest.StartFanout(t)
	_, port, _ := net.SplitHostPort(f.Addr())
	l, _ := runWith(t, Options{EdgeID: "edge-1", Fanouts: []string{"dns:///localhost:" + port}})
	s := accept(t, f)
	s.Owned(1, 1, 0)
	l.Subscribe(7)
	expect(t, s, 7, -1)
}

func TestDispatch(t *testing.T) {
	f := edgetest.StartFanout(t)
	l, _ := run(t, f)
	command := &edgev1.DispatchRequest{CommandId: "1", GuildId: 7, Name: "pause"}
	if _, err := l.Dispatch(t.Context(), command); !errors.Is(err, ErrNoFanout) {
		t.Errorf("without a fanout: %v", err)
	}
	s := accept(t, f)
	s.Owned(1, 1, 0)
	l.Subscribe(7)
	expect(t, s, 7, -1) // connected, for sure
	if _, err := l.Dispatch(t.Context(), command); status.Code(err) != codes.Unavailable {
		t.Errorf("without a bot: %v", err)
	}
	f.Answer(func(_ context.Context, r *edgev1.DispatchRequest) (*edgev1.DispatchResponse, error) {
		return &edgev1.DispatchResponse{Result: []byte(`"` + r.GetName() + `"`), Sequence: 3}, nil
	})
	answer, err := l.Dispatch(t.Context(), command)
	if err != nil || string(answer.GetResult()) != `"pause"` || answer.GetSequence() != 3 {
		t.Errorf("%v, %v", answer, err)
	}
	f.Answer(func(ctx context.Context, _ *edgev1.DispatchRequest) (*edgev1.DispatchResponse, error) {
		<-ctx.Done()
		return nil, ctx.Err()
	})
	l.options.Timeout = 20 * time.Millisecond
	if _, err := l.Dispatch(t.Context(), command); status.Code(err) != codes.DeadlineExceeded {
		t.Errorf("of a silent bot: %v", err)
	}
}

func TestBadOptions(t *testing.T) {
	for _, fanouts := range [][]string{nil, {""}, {"host"}, {":7070"}, {"host:port"}, {"dns:///host"}, {"host:70000"}} {
		if _, err := New(nil, Options{Fanouts: fanouts}); err == nil {
			t.Errorf("%q: accepted", fanouts)
		}
	}
}
