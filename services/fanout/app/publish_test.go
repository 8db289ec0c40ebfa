package app_test

import (
	"bytes"
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	botv1 "github.com/pona-realtime/pona/proto/pona/bot/v1"
	playerv1 "github.com/pona-realtime/pona/proto/pona/player/v1"
	"github.com/pona-realtime/pona/services/fanout/app"
	"github.com/pona-realtime/pona/services/fanout/fanouttest"
	"github.com/pona-realtime/pona/services/fanout/stream"
)

func queue(size int) *playerv1.Event {
	return &playerv1.Event{EventId: fmt.Sprint("q-", size), GuildId: guild, Kind: &playerv1.Event_QueueUpdated{QueueUpdated: &playerv1.QueueUpdated{
		Queue: []byte(`["` + strings.Repeat("x", size) + `"]`),
	}}}
}

func TestBadEventIsRefusedByNameAndNothingIsStored(t *testing.T) {
	f := startReady(t, fanouttest.StartNATS(t).URL(), func(s *app.Settings) { s.MaxEvent = 1 << 20 })
	edge := listen(t, f, "edge")
	bot := fanouttest.NewBot(t, f.GRPCAddr())
	good := fanouttest.Volume(guild, 1)
	for _, test := range []struct {
		events []*playerv1.Event
		want   string
	}{
		{nil, "events: 0, must be 1 to 256"},
		{make([]*playerv1.Event, 257), "events: 257, must be 1 to 256"},
		{[]*playerv1.Event{good, {EventId: "e"}}, "events[1].guild_id: must not be 0"},
		{[]*playerv1.Event{good, {EventId: "e", GuildId: 1, Kind: &playerv1.Event_TrackStarted{TrackStarted: &playerv1.TrackStarted{
			Track: []byte(`{}`), Queue: []byte(`{}`)}}}}, "events[1].track_started.queue: not a JSON array"},
		{[]*playerv1.Event{good, queue(1 << 20)}, "events[1]: 1048609 bytes, must be at most 1048576"},
	} {
		for i, ev := range test.events {
			if ev == nil {
				test.events[i] = good
			}
		}
		_, err := bot.Client.Publish(t.Context(), &botv1.PublishRequest{Events: test.events})
		if status.Code(err) != codes.InvalidArgument || status.Convert(err).Message() != test.want {
			t.Errorf("refused with %v, want %s", err, test.want)
		}
	}
	bot.Publish(fanouttest.Volume(guild, 2))
	if events := edge.AwaitEvents(guild, 1); volumeOf(t, events[0]) != 2 {
		t.Errorf("of a refused request was stored: %v", events)
	}
}

func TestQueueOfFiveMegabytesPasses(t *testing.T) {
	f := startReady(t, fanouttest.StartNATS(t).URL())
	edge := listen(t, f, "edge")
	ev := queue(5 << 20)
	fanouttest.NewBot(t, f.GRPCAddr()).Publish(ev)
	if got := edge.AwaitEvents(guild, 1)[0]; !bytes.Contains(got.GetEvent(), ev.GetQueueUpdated().GetQueue()) {
		t.Errorf("%d bytes came", len(got.GetEvent()))
	}
}

func TestPublishStreamAnswersInOrderAndEndsWithTheFirstRefusal(t *testing.T) {
	f := startReady(t, fanouttest.StartNATS(t).URL())
	stream, err := fanouttest.NewBot(t, f.GRPCAddr()).Client.PublishStream(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	const total = 200
	for i := range total {
		if err := stream.Send(&botv1.PublishStreamRequest{Events: []*playerv1.Event{fanouttest.Volume(guild, i+1), fanouttest.Volume(guild+uint64(i), -1)}}); err != nil {
			t.Fatal(err)
		}
	}
	if err := stream.Send(&botv1.PublishStreamRequest{Events: []*playerv1.Event{{GuildId: guild}}}); err != nil {
		t.Fatal(err)
	}
	var last uint64
	for range total {
		response, err := stream.Recv()
		if err != nil {
			t.Fatal(err)
		}
		if sequence := response.GetResults()[0].GetSequence(); sequence <= last {
			t.Fatalf("sequence %d after %d", sequence, last)
		} else {
			last = sequence
		}
	}
	if _, err := stream.Recv(); status.Code(err) != codes.InvalidArgument || status.Convert(err).Message() != "events[0].event_id: 0 bytes, must be 1 to 128" {
		t.Errorf("the stream ended with %v", err)
	}
}

func TestWhatOthersPutIntoTheStreamIsCheckedToo(t *testing.T) {
	nats := fanouttest.StartNATS(t)
	f := startReady(t, nats.URL())
	edge := listen(t, f, "edge")
	nc := nats.Connect()
	foreign, err := proto.Marshal(fanouttest.Volume(guild+1, 1))
	if err != nil {
		t.Fatal(err)
	}
	good, err := proto.Marshal(fanouttest.Volume(guild, 2))
	if err != nil {
		t.Fatal(err)
	}
	position, err := proto.Marshal(fanouttest.Position(guild, "1"))
	if err != nil {
		t.Fatal(err)
	}
	subject := fmt.Sprintf("player.%d.volume_updated", uint64(guild))
	for _, data := range [][]byte{[]byte("nonsense"), nil, foreign, position, good} {
		if _, err := nc.Request(subject, data, fanouttest.Patience); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := nc.Request("player.nobody.volume_updated", good, fanouttest.Patience); err != nil {
		t.Fatal(err)
	}
	if events := edge.AwaitEvents(guild, 1); volumeOf(t, events[0]) != 2 {
		t.Errorf("delivered %v", events)
	}
}

func TestFailureInTheMiddleStoresNothingBehindAHole(t *testing.T) {
	t.Parallel() // it mostly waits
	nats := fanouttest.StartNATS(t)
	f := startReady(t, nats.URL(), func(s *app.Settings) { s.StoreTimeout = time.Second })
	stream, err := fanouttest.NewBot(t, f.GRPCAddr()).Client.PublishStream(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	sending := make(chan int, 1) // gets how many were sent before the stream ended
	go func() {
		for n := 1; ; n++ {
			var events []*playerv1.Event
			for g := uint64(1); g <= 4; g++ {
				events = append(events, fanouttest.Volume(g, 2*n-1), fanouttest.Volume(g, 2*n))
			}
			if stream.Send(&botv1.PublishStreamRequest{Events: events}) != nil {
				sending <- n
				return
			}
		}
	}()
	answered := 0
	for ; err == nil; answered++ {
		if answered == 50 {
			nats.Stop()
		}
		_, err = stream.Recv()
	}
	answered--
	if status.Code(err) != codes.Unavailable {
		t.Fatalf("the stream ended with %v", err)
	}
	if sent := await(t, sending, "the sender"); sent <= answered {
		t.Errorf("%d sent, %d answered: nothing was under way", sent, answered)
	}
	nats.Start()
	edge := fanouttest.NewEdge(t, f.GRPCAddr(), "edge")
	edge.AwaitOwned(8)
	for g := uint64(1); g <= 4; g++ {
		edge.Resume(g, 0)
		numbers := edge.AwaitEvents(g, 2*answered)
		for i, d := range numbers {
			if volumeOf(t, d) != i+1 {
				t.Fatalf("guild %d: stored number %d is %d", g, i+1, volumeOf(t, d))
			}
		}
	}
}

func TestNATSAwayIsUnavailableAndHealsByItself(t *testing.T) {
	t.Parallel() // it mostly waits
	nats := fanouttest.StartNATS(t)
	f := startReady(t, nats.URL())
	bot := fanouttest.NewBot(t, f.GRPCAddr())
	bot.Publish(fanouttest.Volume(guild, 1))
	nats.Stop()
	awaitHealth(t, f, 503)
	began := time.Now()
	_, err := bot.Client.Publish(t.Context(), &botv1.PublishRequest{Events: []*playerv1.Event{fanouttest.Volume(guild, 2)}})
	if status.Code(err) != codes.Unavailable || time.Since(began) > time.Second {
		t.Errorf("after %v: %v", time.Since(began), err)
	}
	nats.Start()
	awaitHealth(t, f, 200)
	var stored *botv1.PublishResponse
	for { // JetStream may need a moment longer than the server
		if stored, err = bot.Client.Publish(t.Context(), &botv1.PublishRequest{Events: []*playerv1.Event{fanouttest.Volume(guild, 2)}}); status.Code(err) != codes.Unavailable {
			break
		}
	}
	if err != nil {
		t.Fatal(err)
	}
	edge := fanouttest.NewEdge(t, f.GRPCAddr(), "edge")
	edge.AwaitOwned(8)
	edge.AwaitHandled(guild, stored.GetResults()[0].GetSequence())
	if volume := snapshotOf(t, f).GetState().GetVolume(); volume != "2" {
		t.Errorf("volume %s", volume)
	}
}

func TestStoppingAnswersAllThatIsUnderWay(t *testing.T) {
	nats := fanouttest.StartNATS(t)
	f := startReady(t, nats.URL())
	call, err := fanouttest.NewBot(t, f.GRPCAddr()).Client.PublishStream(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	sent := make(chan struct{})
	go func() {
		defer close(sent)
		for n := 1; call.Send(&botv1.PublishStreamRequest{Events: []*playerv1.Event{fanouttest.Volume(uint64(n%7+1), n)}}) == nil; n++ {
		}
	}()
	answered := uint64(0)
	for ; err == nil; answered++ {
		if answered == 50 {
			f.cancel() // the bot goes on
		}
		_, err = call.Recv()
	}
	answered--
	if status.Code(err) != codes.Unavailable || status.Convert(err).Message() != "this fanout stops" {
		t.Errorf("the call ended with %v", err)
	}
	<-sent
	js, err := jetstream.New(nats.Connect())
	if err != nil {
		t.Fatal(err)
	}
	stored, err := js.Stream(t.Context(), stream.Name)
	if err != nil {
		t.Fatal(err)
	}
	if have := stored.CachedInfo().State.Msgs; have != answered || answered <= 50 {
		t.Errorf("%d events are stored, %d were answered", have, answered)
	}
}
