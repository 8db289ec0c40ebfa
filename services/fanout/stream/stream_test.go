package stream_test

import (
	"context"
	"errors"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/pona-realtime/pona/pkg/player"
	edgev1 "github.com/pona-realtime/pona/proto/pona/edge/v1"
	playerv1 "github.com/pona-realtime/pona/proto/pona/player/v1"
	"github.com/pona-realtime/pona/services/fanout/fanouttest"
	"github.com/pona-realtime/pona/services/fanout/stream"
)

var options = stream.Options{
	Partitions: 64, Replicas: 1, MaxAge: 10 * time.Minute, DedupWindow: 2 * time.Minute, MaxEventBytes: 1 << 20,
}

func open(t *testing.T, n *fanouttest.NATS, change func(*stream.Options)) (*stream.Stream, error) {
	t.Helper()
	o := options
	if change != nil {
		change(&o)
	}
	return stream.Open(t.Context(), n.Connect(), o)
}

func store(t *testing.T, s *stream.Stream, ev *playerv1.Event) uint64 {
	t.Helper()
	sequence, err := tryStore(t, s, ev, 20*time.Second)
	if err != nil {
		t.Fatal(err)
	}
	return sequence
}

// tryStore is Append, whose answer it waits for so long.
func tryStore(t *testing.T, s *stream.Stream, ev *playerv1.Event, within time.Duration) (sequence uint64, err error) {
	t.Helper()
	encoded, err := s.Encode(ev)
	if err != nil {
		t.Fatal(err)
	}
	type answer struct {
		sequence uint64
		err      error
	}
	answers := make(chan answer, 2)
	if err := s.Append(ev, encoded, "", within, func(sequence uint64, _ bool, err error) { answers <- answer{sequence, err} }); err != nil {
		return 0, err
	}
	a := <-answers
	return a.sequence, a.err
}

// The edges compute partitions as player.Partition does; NATS is who decides.
func TestPartitionIsWhatNATSMakesOfIt(t *testing.T) {
	n := fanouttest.StartNATS(t)
	s, err := open(t, n, nil)
	if err != nil {
		t.Fatal(err)
	}
	js, err := jetstream.New(n.Connect())
	if err != nil {
		t.Fatal(err)
	}
	stored, err := js.Stream(t.Context(), stream.Name)
	if err != nil {
		t.Fatal(err)
	}
	guilds := []uint64{1, 9, 10, 100000000000000001, 1<<64 - 1}
	for range 200 {
		guilds = append(guilds, rand.Uint64()|1)
	}
	for _, guild := range guilds {
		msg, err := stored.GetMsg(t.Context(), store(t, s, fanouttest.Volume(guild, 1)))
		if err != nil {
			t.Fatal(err)
		}
		got := strings.Split(msg.Subject, ".")
		if want := player.Partition(guild, 64); got[1] != text(want) || got[2] != text(guild) || got[3] != "volume_updated" {
			t.Errorf("guild %d is in partition %d for us, and stored as %s", guild, want, msg.Subject)
		}
	}
}

func TestSequencesGoOnWhenTheStreamIsLost(t *testing.T) {
	n := fanouttest.StartNATS(t)
	s, err := open(t, n, nil)
	if err != nil {
		t.Fatal(err)
	}
	before := store(t, s, fanouttest.Volume(1, 1))
	js, err := jetstream.New(n.Connect())
	if err != nil {
		t.Fatal(err)
	}
	if err := js.DeleteStream(t.Context(), stream.Name); err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(fanouttest.Patience); ; { // NATS may still be removing the old one; a fanout tries again too
		if s, err = open(t, n, nil); err == nil {
			break
		}
		if time.Now().After(deadline) {
			t.Fatal(err)
		}
	}
	if after := store(t, s, fanouttest.Volume(1, 2)); after <= before {
		t.Errorf("sequence %d after %d", after, before)
	}
}

func TestStreamIsAdaptedOrRefused(t *testing.T) {
	n := fanouttest.StartNATS(t)
	if _, err := open(t, n, nil); err != nil {
		t.Fatal(err)
	}
	s, err := open(t, n, func(o *stream.Options) { o.MaxAge, o.MaxBytes, o.DedupWindow = time.Hour, 1<<30, time.Minute })
	if err != nil {
		t.Fatal(err)
	}
	store(t, s, fanouttest.Volume(1, 1))
	js, err := jetstream.New(n.Connect())
	if err != nil {
		t.Fatal(err)
	}
	stored, err := js.Stream(t.Context(), stream.Name)
	if err != nil {
		t.Fatal(err)
	}
	if c := stored.CachedInfo().Config; c.MaxAge != time.Hour || c.MaxBytes != 1<<30 || c.Duplicates != time.Minute {
		t.Errorf("not adapted: %+v", c)
	}
	if _, err := open(t, n, func(o *stream.Options) { o.Partitions = 32 }); !errors.Is(err, stream.ErrSettings) {
		t.Errorf("other partitions: %v", err)
	}
}

func TestEventAboveTheLimitIsNamedWithBothSizes(t *testing.T) {
	n := fanouttest.StartNATS(t)
	s, err := open(t, n, func(o *stream.Options) { o.MaxEventBytes = 1 << 30 }) // more than max_payload
	if err != nil {
		t.Fatal(err)
	}
	if got, want := s.MaxEventBytes(), 8<<20-1<<10; got != want {
		t.Errorf("limit %d, want %d", got, want)
	}
	ev := &playerv1.Event{EventId: "e", GuildId: 1, Kind: &playerv1.Event_TrackUpdated{TrackUpdated: &playerv1.TrackUpdated{Track: make([]byte, 8<<20)}}}
	var tooLarge *stream.TooLargeError
	if _, err := s.Encode(ev); !errors.As(err, &tooLarge) || tooLarge.Size <= 8<<20 || tooLarge.Limit != s.MaxEventBytes() {
		t.Errorf("refused with %v", err)
	}
	ev.GetTrackUpdated().Track = make([]byte, s.MaxEventBytes()-100)
	store(t, s, ev) // the largest that is let through is stored, too
}

func TestHistoryIsWholeOrGone(t *testing.T) {
	nats := fanouttest.StartNATS(t)
	s, err := open(t, nats, nil)
	if err != nil {
		t.Fatal(err)
	}
	var sequences []uint64
	for i := range 10 {
		sequences = append(sequences, store(t, s, fanouttest.Volume(1, i)))
		store(t, s, fanouttest.Volume(2, i))
	}
	events, whole, err := s.History(t.Context(), stream.Range{GuildID: 1, After: sequences[2], UpTo: sequences[7], MaxBytes: 1 << 20})
	if err != nil || !whole || len(events) != 5 {
		t.Fatalf("%d events, whole %v, %v", len(events), whole, err)
	}
	for i, d := range events {
		if d.GetSequence() != sequences[3+i] || d.GetGuildId() != 1 {
			t.Errorf("event %d is %v", i, d)
		}
	}
	if _, whole, err := s.History(t.Context(), stream.Range{GuildID: 1, After: sequences[0], UpTo: sequences[9], MaxBytes: 30}); err != nil || whole {
		t.Errorf("above the bound: whole %v, %v", whole, err)
	}

	// The stream drops what was stored before the eighth event, and the other guild's seventh with it.
	js, err := jetstream.New(nats.Connect())
	if err != nil {
		t.Fatal(err)
	}
	kept, err := js.Stream(t.Context(), stream.Name)
	if err != nil {
		t.Fatal(err)
	}
	if err := kept.Purge(t.Context(), jetstream.WithPurgeSequence(sequences[7])); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		name        string
		after, next int // numbers of events; -1: not known
		upTo        int
		want        bool
	}{
		{"who has the seventh, known to be followed by the eighth, has missed nothing that is gone", 6, 7, 9, true},
		{"where it is not known what follows, something may be gone", 6, -1, 9, false},
		{"who has the sixth has missed one that is gone", 5, 6, 9, false},
		{"what is kept whole needs no proof", 7, -1, 9, true},
		{"what is gone to its last event is not waited for", 2, 3, 5, false},
	} {
		r := stream.Range{GuildID: 1, After: sequences[test.after], UpTo: sequences[test.upTo], MaxBytes: 1 << 20}
		if test.next >= 0 {
			r.Next = sequences[test.next]
		}
		events, whole, err := s.History(t.Context(), r)
		if err != nil || whole != test.want || whole && len(events) != test.upTo-test.after {
			t.Errorf("%s: %d events, whole %v, %v", test.name, len(events), whole, err)
		}
	}
}

// run reads for the stream's followers until the end of the test.
func run(t *testing.T, s *stream.Stream) {
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() {
		for ctx.Err() == nil {
			_ = s.Run(ctx) // NATS away: again, as the owner does
		}
	})
	t.Cleanup(func() { cancel(); running.Wait() })
}

// follow sends a partition's events to came until leave is called or the test ends.
func follow(t *testing.T, s *stream.Stream, partition uint32, after uint64, came chan<- *edgev1.Delivery) (leave func()) {
	ctx, cancel := context.WithCancel(context.Background())
	left := make(chan struct{})
	go func() {
		defer close(left)
		s.Follow(ctx, partition, after, func(d *edgev1.Delivery) { came <- d })
	}()
	leave = func() { cancel(); <-left }
	t.Cleanup(leave)
	return leave
}

func TestFollowersComeAndGo(t *testing.T) {
	s, err := open(t, fanouttest.StartNATS(t), nil)
	if err != nil {
		t.Fatal(err)
	}
	guilds := []uint64{1, 2, 3} // of different partitions
	partition := func(i int) uint32 { return player.Partition(guilds[i], 64) }
	var sequences [3][]uint64
	publish := func() {
		for i, g := range guilds {
			sequences[i] = append(sequences[i], store(t, s, fanouttest.Volume(g, len(sequences[i]))))
		}
	}
	var came [3]chan *edgev1.Delivery
	for i := range came {
		came[i] = make(chan *edgev1.Delivery, 100)
	}
	expect := func(i int, want ...uint64) {
		t.Helper()
		for _, sequence := range want {
			if d := <-came[i]; d.GetSequence() != sequence || d.GetGuildId() != guilds[i] {
				t.Fatalf("to follower %d came %v, want sequence %d", i, d, sequence)
			}
		}
	}
	publish()
	run(t, s)
	follow(t, s, partition(0), 0, came[0])
	expect(0, sequences[0]...)
	publish()
	leave := follow(t, s, partition(1), 0, came[1]) // is behind the first
	expect(1, sequences[1]...)
	expect(0, sequences[0][1])
	leave()
	publish() // of which the second must hear nothing
	expect(0, sequences[0][2])
	follow(t, s, partition(2), sequences[2][0], came[2])
	expect(2, sequences[2][1:]...)
	follow(t, s, partition(1), sequences[1][2], came[1])
	publish()
	for i := range came {
		expect(i, sequences[i][3])
		if len(came[i]) > 0 {
			t.Errorf("follower %d heard %v", i, <-came[i])
		}
	}
}

func TestFollowGoesOnAfterNATSWasAway(t *testing.T) {
	n := fanouttest.StartNATS(t)
	s, err := open(t, n, func(o *stream.Options) { o.Partitions = 1 })
	if err != nil {
		t.Fatal(err)
	}
	first := store(t, s, fanouttest.Volume(1, 1))
	came := make(chan *edgev1.Delivery, 10)
	run(t, s)
	follow(t, s, 0, first, came)
	second := store(t, s, fanouttest.Volume(2, 1))
	if d := <-came; d.GetSequence() != second {
		t.Fatalf("first came %v", d)
	}
	n.Stop()
	n.Start()
	var third uint64
	for third == 0 {
		if third, err = tryStore(t, s, fanouttest.Volume(1, 2), time.Second); err != nil && !errors.Is(err, stream.ErrUnavailable) {
			t.Fatal(err)
		}
	}
	if d := <-came; d.GetSequence() != third {
		t.Errorf("then came %v, want %d", d, third)
	}
}

func TestEventThatNobodyStoresIsToldOfOnce(t *testing.T) {
	n := fanouttest.StartNATS(t)
	s, err := open(t, n, nil)
	if err != nil {
		t.Fatal(err)
	}
	store(t, s, fanouttest.Volume(1, 1))
	nc := n.Connect()
	js, err := jetstream.New(nc)
	if err != nil {
		t.Fatal(err)
	}
	if err := js.DeleteStream(t.Context(), stream.Name); err != nil {
		t.Fatal(err)
	}
	if _, err := tryStore(t, s, fanouttest.Volume(1, 2), time.Second); !errors.Is(err, stream.ErrUnavailable) || !errors.Is(err, jetstream.ErrNoStreamResponse) {
		t.Errorf("without a stream: %v", err)
	}
	asked := make(chan *nats.Msg, 1)
	if _, err := nc.ChanSubscribe("player.*.*", asked); err != nil {
		t.Fatal(err)
	}
	if err := nc.Flush(); err != nil {
		t.Fatal(err)
	}
	if _, err := tryStore(t, s, fanouttest.Volume(1, 3), time.Second); !errors.Is(err, stream.ErrUnavailable) {
		t.Errorf("without an answer: %v", err)
	}
	late := <-asked
	if err := late.Respond([]byte(`{"stream":"PLAYER_EVENTS","seq":7}`)); err != nil { // nobody waits for it any more
		t.Fatal(err)
	}
	other := make(chan error, 1)
	go func() { _, err := tryStore(t, s, fanouttest.Volume(1, 4), time.Second); other <- err }()
	refused := <-asked
	if err := refused.Respond([]byte(`{"error":{"code":503,"err_code":10077,"description":"maximum messages exceeded"},"stream":"PLAYER_EVENTS","seq":0}`)); err != nil {
		t.Fatal(err)
	}
	if err := <-other; !errors.Is(err, stream.ErrUnavailable) || !strings.Contains(err.Error(), "maximum messages exceeded") {
		t.Errorf("a refusal: %v", err)
	}
}
