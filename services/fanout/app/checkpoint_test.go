package app_test

import (
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go/jetstream"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	botv1 "github.com/pona-realtime/pona/proto/pona/bot/v1"
	edgev1 "github.com/pona-realtime/pona/proto/pona/edge/v1"
	playerv1 "github.com/pona-realtime/pona/proto/pona/player/v1"

	"github.com/pona-realtime/pona/services/fanout/app"
	"github.com/pona-realtime/pona/services/fanout/fanouttest"
)

// statesOf are the checkpoints that a fanout leaves in NATS.
func statesOf(t *testing.T, n *fanouttest.NATS) (jetstream.JetStream, jetstream.KeyValue) {
	t.Helper()
	js, err := jetstream.New(n.Connect())
	if err != nil {
		t.Fatal(err)
	}
	bucket, err := js.KeyValue(t.Context(), "FANOUT_STATE")
	if err != nil {
		t.Fatal(err)
	}
	return js, bucket
}

// publishAndStop publishes events, and ends the fanout when it has handled them, so that it leaves checkpoints.
func publishAndStop(t *testing.T, f *fanout, events ...*playerv1.Event) {
	t.Helper()
	edge := fanouttest.NewEdge(t, f.GRPCAddr(), "handled")
	edge.AwaitOwned(8)
	results := fanouttest.NewBot(t, f.GRPCAddr()).Publish(events...)
	for i, ev := range events {
		edge.AwaitHandled(ev.GetGuildId(), results[i].GetSequence())
	}
	f.stop(t)
}

func TestStateOfADestroyedPlayerIsForgottenEarlier(t *testing.T) {
	t.Parallel() // it mostly waits
	nats := fanouttest.StartNATS(t)
	f := startReady(t, nats.URL(), func(s *app.Settings) {
		s.Dedup, s.Retention, s.EndedTTL = time.Second, time.Second, time.Second
	})
	const lives, returns, ended = guild, guild + 1, guild + 2
	destroyed := func(guildID uint64) *playerv1.Event {
		return &playerv1.Event{
			EventId: fmt.Sprint("end", guildID), GuildId: guildID,
			Kind: &playerv1.Event_PlayerDestroyed{PlayerDestroyed: &playerv1.PlayerDestroyed{State: []byte("null")}},
		}
	}
	publishAndStop(t, f, fanouttest.Volume(lives, 1), fanouttest.Volume(ended, 1), destroyed(ended), destroyed(returns))
	_, bucket := statesOf(t, nats)
	if _, err := bucket.Get(t.Context(), fmt.Sprint("guild.", ended)); err != nil {
		t.Fatalf("the ended state is not kept at all: %v", err)
	}
	f = startReady(t, nats.URL(), func(s *app.Settings) { s.Dedup, s.Retention = time.Second, time.Second })
	publishAndStop(t, f, fanouttest.Volume(returns, 2))

	again := time.NewTicker(50 * time.Millisecond)
	defer again.Stop()
	deadline := time.After(fanouttest.Patience)
	for {
		if _, err := bucket.Get(t.Context(), fmt.Sprint("guild.", ended)); errors.Is(err, jetstream.ErrKeyNotFound) {
			break
		}
		select {
		case <-again.C:
		case <-deadline:
			t.Fatal("the state of the destroyed player is still there")
		}
	}
	for _, id := range []uint64{lives, returns} {
		if _, err := bucket.Get(t.Context(), fmt.Sprint("guild.", id)); err != nil {
			t.Errorf("the state of guild %d, which has a player: %v", id, err)
		}
	}
}

// noise is text of so many bytes that nothing makes shorter.
func noise(size int) string {
	raw := make([]byte, size*3/4)
	_, _ = rand.Read(raw) // never fails
	return base64.StdEncoding.EncodeToString(raw)
}

func TestStateThatNoMessageHoldsOutlivesItsFanout(t *testing.T) {
	nats := fanouttest.StartNATS(t, func(o *server.Options) { o.MaxPayload = 64 << 10 })
	first := startReady(t, nats.URL())
	track, queue := `{"a":"`+noise(50<<10)+`"}`, `[{"b":"`+noise(50<<10)+`"}]`
	publishAndStop(t, first,
		&playerv1.Event{EventId: "q", GuildId: guild, Kind: &playerv1.Event_QueueUpdated{QueueUpdated: &playerv1.QueueUpdated{Queue: []byte("[null," + queue[1:])}}},
		&playerv1.Event{EventId: "t", GuildId: guild, Kind: &playerv1.Event_TrackUpdated{TrackUpdated: &playerv1.TrackUpdated{Track: []byte(track)}}},
		fanouttest.Volume(guild+1, 7),
	)
	want := func(f *fanout) (snapshot *edgev1.Snapshot) {
		t.Helper()
		edge := fanouttest.NewEdge(t, f.GRPCAddr(), "edge")
		edge.AwaitOwned(8)
		edge.Subscribe(guild)
		snapshot = edge.AwaitSnapshot(guild)
		if state := snapshot.GetState(); string(state.GetCurrent()) != track || string(state.GetUpcoming()) != queue {
			t.Errorf("the state has %d bytes", proto.Size(state))
		}
		edge.Subscribe(guild + 1)
		if volume := edge.AwaitSnapshot(guild + 1).GetState().GetVolume(); volume != "7" {
			t.Errorf("another guild's volume is %s", volume)
		}
		return snapshot
	}
	js, bucket := statesOf(t, nats)
	large, err := js.ObjectStore(t.Context(), "FANOUT_STATE_LARGE")
	if err != nil {
		t.Fatal(err)
	}
	objects := func() []*jetstream.ObjectInfo {
		t.Helper()
		all, err := large.List(t.Context())
		if err != nil && !errors.Is(err, jetstream.ErrNoObjectsFound) {
			t.Fatal(err)
		}
		return all
	}
	if there := objects(); len(there) != 1 {
		t.Fatalf("%d objects are there", len(there))
	}

	second := startReady(t, nats.URL())
	sequence := want(second).GetSequence()
	publishAndStop(t, second, fanouttest.Volume(guild, 9)) // the state is written anew, under another epoch
	if there := objects(); len(there) != 1 {
		t.Errorf("%d objects are there, of which one is named", len(there))
	}

	third := startReady(t, nats.URL())
	if now := want(third); now.GetSequence() <= sequence || now.GetState().GetVolume() != "9" {
		t.Errorf("sequence %d, volume %s", now.GetSequence(), now.GetState().GetVolume())
	}
	publishAndStop(t, third,
		&playerv1.Event{EventId: "end", GuildId: guild, Kind: &playerv1.Event_QueueEnded{QueueEnded: &playerv1.QueueEnded{}}},
	)
	if there := objects(); len(there) != 0 {
		t.Errorf("%d objects are there, of which none is named", len(there))
	}
	if entry, err := bucket.Get(t.Context(), fmt.Sprint("guild.", guild)); err != nil || len(entry.Value()) > 1<<10 {
		t.Errorf("the state that fits again: %v", err)
	}
}

func TestEventThatNATSHasNoRoomForIsRefusedWithBothSizes(t *testing.T) {
	nats := fanouttest.StartNATS(t, func(o *server.Options) { o.MaxPayload = 64 << 10 }) // and max-event is 6 MiB
	bot := fanouttest.NewBot(t, startReady(t, nats.URL()).GRPCAddr())
	_, err := bot.Client.Publish(t.Context(), &botv1.PublishRequest{Events: []*playerv1.Event{{
		EventId: "large", GuildId: guild,
		Kind: &playerv1.Event_TrackUpdated{TrackUpdated: &playerv1.TrackUpdated{Track: []byte(`{"a":"` + noise(64<<10) + `"}`)}},
	}}})
	if message := status.Convert(err).Message(); status.Code(err) != codes.InvalidArgument ||
		!strings.Contains(message, "655") || !strings.Contains(message, fmt.Sprint(63<<10)) {
		t.Errorf("it was answered with %v", err)
	}
	bot.Publish(fanouttest.Volume(guild, 1))
}
