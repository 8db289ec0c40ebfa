package app_test

import (
	"slices"
	"testing"

	"github.com/nats-io/nats.go/jetstream"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	edgev1 "github.com/pona-realtime/pona/proto/pona/edge/v1"
	"github.com/pona-realtime/pona/services/fanout/fanouttest"
	"github.com/pona-realtime/pona/services/fanout/stream"
)

func TestReplayGivesWhatClientsMissed(t *testing.T) {
	nats := fanouttest.StartNATS(t)
	f := startReady(t, nats.URL())
	listening := witness(t, f)
	bot := fanouttest.NewBot(t, f.GRPCAddr())
	var stored []uint64
	for n := range 10 {
		stored = append(stored, bot.Publish(fanouttest.Volume(guild, n))[0].GetSequence())
		bot.Publish(fanouttest.Volume(guild+1, n)) // another guild's stands between any two
	}
	listening.AwaitEvents(guild, 10) // the owner has them: a snapshot shows them all
	edge := fanouttest.NewEdge(t, f.GRPCAddr(), "edge")
	edge.AwaitOwned(8)
	edge.Subscribe(guild)
	if trail := edge.AwaitSnapshot(guild).GetTrail(); !slices.Equal(trail, stored[:9]) {
		t.Errorf("trail %v, want %v", trail, stored[:9])
	}
	client := edgev1.NewEdgeServiceClient(fanouttest.Dial(t, f.GRPCAddr()))
	ask := func(request *edgev1.ReplayRequest) ([]uint64, uint64, codes.Code) {
		t.Helper()
		request.GuildId, request.UpToSequence = guild, stored[9]
		response, err := client.Replay(t.Context(), request)
		previous := response.GetAfterSequence()
		for _, d := range response.GetDeliveries() {
			if d.GetPreviousSequence() != previous || d.GetStoredAtNs() == 0 {
				t.Errorf("after %d came %v", previous, d)
			}
			previous = d.GetSequence()
		}
		return sequences(response.GetDeliveries()), response.GetAfterSequence(), status.Code(err)
	}
	if got, after, code := ask(&edgev1.ReplayRequest{AfterSequence: stored[4]}); !slices.Equal(got, stored[5:]) || after != stored[4] || code != codes.OK {
		t.Errorf("%v after %d, %v", got, after, code)
	}
	if _, _, code := ask(&edgev1.ReplayRequest{AfterSequence: stored[4], MaxBytes: 10}); code != codes.OutOfRange {
		t.Errorf("more than the bound: %v", code)
	}
	js, err := jetstream.New(nats.Connect())
	if err != nil {
		t.Fatal(err)
	}
	events, err := js.Stream(t.Context(), stream.Name)
	if err != nil {
		t.Fatal(err)
	}
	if err := events.Purge(t.Context(), jetstream.WithPurgeSequence(stored[6])); err != nil {
		t.Fatal(err)
	}
	if _, _, code := ask(&edgev1.ReplayRequest{AfterSequence: stored[4]}); code != codes.OutOfRange {
		t.Errorf("gone: %v", code)
	}
	if _, _, code := ask(&edgev1.ReplayRequest{AfterSequence: stored[5]}); code != codes.OutOfRange {
		t.Errorf("perhaps gone: %v", code)
	}
	if got, _, code := ask(&edgev1.ReplayRequest{AfterSequence: stored[5], NextSequence: stored[6]}); !slices.Equal(got, stored[6:]) || code != codes.OK {
		t.Errorf("kept, as the trail shows: %v, %v", got, code)
	}
}
