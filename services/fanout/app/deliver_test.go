package app_test

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"strconv"
	"sync"
	"testing"

	"github.com/nats-io/nats.go/jetstream"
	"google.golang.org/protobuf/proto"

	botv1 "github.com/pona-realtime/pona/proto/pona/bot/v1"
	edgev1 "github.com/pona-realtime/pona/proto/pona/edge/v1"
	playerv1 "github.com/pona-realtime/pona/proto/pona/player/v1"
	"github.com/pona-realtime/pona/services/fanout/fanouttest"
)

const guild = 100000000000000001

func TestEventReachesTheEdgeByteForByte(t *testing.T) {
	f := startReady(t, fanouttest.StartNATS(t).URL())
	edge := fanouttest.NewEdge(t, f.GRPCAddr(), "edge-1")
	edge.AwaitOwned(8)
	edge.Subscribe(guild)
	if s := edge.AwaitSnapshot(guild); s.GetSequence() != 0 || s.GetState().GetExists() {
		t.Errorf("a guild of which nothing is known has the snapshot %v", s)
	}
	bot := fanouttest.NewBot(t, f.GRPCAddr())
	ev := &playerv1.Event{EventId: "e1", GuildId: guild, PublishedAtNs: 5, Kind: &playerv1.Event_TrackStarted{TrackStarted: &playerv1.TrackStarted{
		Track: []byte(fanouttest.Track), Queue: []byte("[" + fanouttest.Track + ", {\"b\":1,\"a\":2} ]"),
	}}}
	results := bot.Publish(ev)
	if results[0].GetSequence() == 0 || results[0].GetDuplicate() {
		t.Errorf("results %v", results)
	}
	got := edge.AwaitEvents(guild, 1)[0]
	if position := bot.Publish(fanouttest.Position(guild, "1234.50"))[0]; position.GetSequence() != 0 {
		t.Errorf("a position was stored: %v", position)
	}
	want, err := proto.Marshal(ev)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got.GetEvent(), want) || got.GetSequence() != results[0].GetSequence() || got.GetStoredAtNs() == 0 {
		t.Errorf("delivered %v, want sequence %d of %q", got, results[0].GetSequence(), want)
	}
	edge.Await("the position", func(came []*edgev1.DeliverResponse) bool {
		for _, r := range came {
			for _, d := range r.GetBatch().GetDeliveries() {
				var ev playerv1.Event
				if d.GetSequence() == 0 && proto.Unmarshal(d.GetEvent(), &ev) == nil && ev.GetPositionUpdated().GetPosition() == "1234.50" {
					return true
				}
			}
		}
		return false
	})

	late := fanouttest.NewEdge(t, f.GRPCAddr(), "edge-2")
	late.AwaitOwned(8)
	late.Subscribe(guild)
	state := late.AwaitSnapshot(guild)
	if string(state.GetState().GetCurrent()) != fanouttest.Track || state.GetState().GetPosition() != "1234.50" || state.GetSequence() != got.GetSequence() {
		t.Errorf("snapshot %v", state)
	}
}

func TestRetriedEventIsStoredAndDeliveredOnce(t *testing.T) {
	f := startReady(t, fanouttest.StartNATS(t).URL())
	edge := listen(t, f, "edge-1")
	bot := fanouttest.NewBot(t, f.GRPCAddr())
	first := bot.Publish(fanouttest.Volume(guild, 1))[0]
	again := bot.Publish(fanouttest.Volume(guild, 1), fanouttest.Volume(guild, 2))
	if !again[0].GetDuplicate() || again[0].GetSequence() != first.GetSequence() || again[1].GetDuplicate() {
		t.Errorf("first %v, again %v", first, again)
	}
	events := edge.AwaitEvents(guild, 2)
	if sequences(events)[0] != first.GetSequence() || sequences(events)[1] != again[1].GetSequence() || len(events) != 2 {
		t.Errorf("delivered %v", sequences(events))
	}
}

func TestSnapshotIsFollowedByExactlyTheEventsAfterIt(t *testing.T) {
	t.Parallel() // it mostly waits
	f := startReady(t, fanouttest.StartNATS(t).URL())
	var total int // known when the test's defers have run, before its cleanups
	var published sync.WaitGroup
	subscribed := make(chan struct{})
	published.Go(func() { total = publishNumbers(t, f.GRPCAddr(), guild, subscribed) })
	defer published.Wait()
	defer close(subscribed)
	for i := range 10 {
		edge := fanouttest.NewEdge(t, f.GRPCAddr(), "edge")
		edge.AwaitOwned(8)
		// Wait for some of them, so that the edges come at different moments.
		probe := fanouttest.NewEdge(t, f.GRPCAddr(), "probe")
		probe.AwaitOwned(8)
		probe.Subscribe(guild)
		probe.AwaitSnapshot(guild)
		if i > 0 {
			probe.AwaitEvents(guild, 5)
		}
		edge.Subscribe(guild)
		snapshot := edge.AwaitSnapshot(guild)
		t.Cleanup(func() {
			next := number(t, snapshot.GetState().GetVolume())
			edge.Await("the last event", func(came []*edgev1.DeliverResponse) bool {
				return next+len(fanouttest.Events(came, guild)) >= total
			})
			for j, d := range fanouttest.Events(edge.Came(), guild) {
				if got := volumeOf(t, d); got != next+1+j {
					t.Errorf("after the snapshot of %d, event %d is number %d", next, j, got)
				}
			}
		})
		probe.Close()
	}
}

// witness is an edge that listens to the guild from its beginning: what it has heard, the owner has handled.
func witness(t *testing.T, f *fanout) *fanouttest.Edge {
	w := fanouttest.NewEdge(t, f.GRPCAddr(), "witness")
	w.AwaitOwned(8)
	w.Subscribe(guild)
	w.AwaitSnapshot(guild)
	return w
}

func TestResumedEdgeGetsWhatItMissedAndNothingElse(t *testing.T) {
	f := startReady(t, fanouttest.StartNATS(t).URL())
	listening := witness(t, f)
	bot := fanouttest.NewBot(t, f.GRPCAddr())
	var stored []uint64
	for i := range 20 {
		stored = append(stored, bot.Publish(fanouttest.Volume(guild, i+1), fanouttest.Volume(guild+1, i+1))[0].GetSequence())
	}
	listening.AwaitEvents(guild, 20)
	var waiting sync.WaitGroup
	for i := range 20 {
		edge := fanouttest.NewEdge(t, f.GRPCAddr(), "edge")
		edge.AwaitOwned(8)
		edge.Resume(guild, stored[i])
		waiting.Go(func() {
			edge.AwaitEvents(guild, 19-i+1)
			if got := sequences(fanouttest.Events(edge.Came(), guild))[:19-i]; !slices.Equal(got, stored[i+1:]) {
				t.Errorf("resumed after %d: %v, want %v", stored[i], got, stored[i+1:])
			}
			for _, r := range edge.Came() {
				if r.GetSnapshot() != nil || r.GetReset_() != nil {
					t.Errorf("resumed edge got %v", r)
				}
			}
		})
	}
	bot.Publish(fanouttest.Volume(guild, 21))
	waiting.Wait()
}

func TestResumeBeyondHistoryIsResetAndSnapshot(t *testing.T) {
	nats := fanouttest.StartNATS(t)
	f := startReady(t, nats.URL())
	listening := witness(t, f)
	bot := fanouttest.NewBot(t, f.GRPCAddr())
	stored := bot.Publish(fanouttest.Volume(guild, 1), fanouttest.Volume(guild, 2), fanouttest.Volume(guild, 3))
	listening.AwaitEvents(guild, 3)
	js, err := jetstream.New(nats.Connect())
	if err != nil {
		t.Fatal(err)
	}
	events, err := js.Stream(t.Context(), "PLAYER_EVENTS")
	if err != nil {
		t.Fatal(err)
	}
	if err := events.Purge(t.Context(), jetstream.WithPurgeSequence(stored[2].GetSequence())); err != nil {
		t.Fatal(err)
	}
	edge := fanouttest.NewEdge(t, f.GRPCAddr(), "edge")
	edge.AwaitOwned(8)
	edge.Resume(guild, stored[0].GetSequence())
	if s := edge.AwaitSnapshot(guild); s.GetState().GetVolume() != "3" {
		t.Errorf("snapshot %v", s)
	}
	bot.Publish(fanouttest.Volume(guild, 4))
	if got := edge.AwaitEvents(guild, 1); volumeOf(t, got[0]) != 4 {
		t.Errorf("after the snapshot: %v", got)
	}
	reset := slices.IndexFunc(edge.Came(), func(r *edgev1.DeliverResponse) bool { return r.GetReset_().GetGuildId() == guild })
	snapshot := slices.IndexFunc(edge.Came(), func(r *edgev1.DeliverResponse) bool { return r.GetSnapshot() != nil })
	if reset < 0 || reset > snapshot {
		t.Errorf("reset is message %d, snapshot %d", reset, snapshot)
	}
}

func TestNewestPositionWins(t *testing.T) {
	f := startReady(t, fanouttest.StartNATS(t).URL())
	edge := fanouttest.NewEdge(t, f.GRPCAddr(), "edge")
	edge.AwaitOwned(8)
	bot := fanouttest.NewBot(t, f.GRPCAddr())
	stream, err := bot.Client.PublishStream(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	for i := range 3 {
		if err := stream.Send(&botv1.PublishStreamRequest{Events: []*playerv1.Event{fanouttest.Position(guild, []string{"1", "2", "3.0"}[i])}}); err != nil {
			t.Fatal(err)
		}
	}
	if err := stream.CloseSend(); err != nil {
		t.Fatal(err)
	}
	for range 3 {
		if _, err := stream.Recv(); err != nil {
			t.Fatal(err)
		}
	}
	// The position is on its way beside the stream; ask until it has arrived.
	for {
		edge.Subscribe(guild)
		if edge.AwaitSnapshot(guild).GetState().GetPosition() == "3.0" {
			return
		}
	}
}

// publishNumbers publishes the volumes from 1 on, one after the other, until it is enough, and returns the last.
func publishNumbers(t testing.TB, address string, guildID uint64, enough <-chan struct{}) (last int) {
	bot := fanouttest.NewBot(t, address)
	for {
		select {
		case <-enough:
			return last
		default:
		}
		if _, err := bot.Client.Publish(context.Background(), &botv1.PublishRequest{
			Events: []*playerv1.Event{fanouttest.Volume(guildID, last+1)},
		}); err != nil {
			t.Error(err)
			return last
		}
		last++
	}
}

func sequences(events []*edgev1.Delivery) (all []uint64) {
	for _, d := range events {
		all = append(all, d.GetSequence())
	}
	return all
}

func TestPositionComesAfterTheEventPublishedBeforeIt(t *testing.T) {
	f := startReady(t, fanouttest.StartNATS(t).URL())
	edge := listen(t, f, "edge")
	bot := fanouttest.NewBot(t, f.GRPCAddr())
	const total = 100
	for n := 1; n <= total; n++ {
		bot.Publish(fanouttest.Volume(guild, n), fanouttest.Position(guild, strconv.Itoa(n)))
	}
	edge.AwaitEvents(guild, total)
	volume, sequence := 0, uint64(0)
	for _, r := range edge.Came() {
		for _, d := range r.GetBatch().GetDeliveries() {
			if d.GetPreviousSequence() != sequence {
				t.Errorf("after %d came %v", sequence, d)
			}
			if d.GetSequence() != 0 {
				volume, sequence = volumeOf(t, d), d.GetSequence()
				continue
			}
			var ev playerv1.Event
			if err := proto.Unmarshal(d.GetEvent(), &ev); err != nil {
				t.Fatal(err)
			}
			if position := number(t, ev.GetPositionUpdated().GetPosition()); position > volume {
				t.Errorf("position %d came when only event %d had", position, volume)
			}
		}
	}
}

func TestWhatNobodyCanUseIsLeftOutOfAReplayToo(t *testing.T) {
	nats := fanouttest.StartNATS(t)
	f := startReady(t, nats.URL())
	edge := listen(t, f, "edge")
	bot := fanouttest.NewBot(t, f.GRPCAddr())
	first := bot.Publish(fanouttest.Volume(guild, 1))[0].GetSequence()
	js, err := jetstream.New(nats.Connect())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := js.Publish(t.Context(), fmt.Sprintf("player.%d.nonsense", uint64(guild)), []byte{0xff}); err != nil {
		t.Fatal(err)
	}
	last := bot.Publish(fanouttest.Volume(guild, 2))[0].GetSequence()
	edge.AwaitEvents(guild, 2)
	late := fanouttest.NewEdge(t, f.GRPCAddr(), "late")
	late.AwaitOwned(8)
	late.Resume(guild, first)
	got := late.AwaitEvents(guild, 1)
	if len(got) != 1 || got[0].GetSequence() != last || got[0].GetPreviousSequence() != first {
		t.Errorf("replayed %v", got)
	}
}
