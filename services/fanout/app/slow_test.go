package app_test

import (
	"errors"
	"io"
	"strings"
	"testing"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	edgev1 "github.com/pona-realtime/pona/proto/pona/edge/v1"
	"github.com/pona-realtime/pona/services/fanout/app"
	"github.com/pona-realtime/pona/services/fanout/fanouttest"
)

func TestSlowEdgeIsCutAndHoldsUpNobody(t *testing.T) {
	f := startReady(t, fanouttest.StartNATS(t).URL(), func(s *app.Settings) { s.MaxEvent, s.RouteQueue, s.Replay = 1<<20, 2<<20, 2<<20 })
	slow, err := edgev1.NewEdgeServiceClient(fanouttest.Dial(t, f.GRPCAddr())).Deliver(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, request := range []*edgev1.DeliverRequest{
		{Message: &edgev1.DeliverRequest_Hello{Hello: &edgev1.Hello{EdgeId: "slow"}}},
		{Message: &edgev1.DeliverRequest_Subscribe{Subscribe: &edgev1.Subscribe{GuildId: guild}}},
	} {
		if err := slow.Send(request); err != nil {
			t.Fatal(err)
		}
	}
	for { // until it is subscribed; from then on it reads no more
		response, err := slow.Recv()
		if err != nil {
			t.Fatal(err)
		}
		if response.GetSnapshot() != nil {
			break
		}
		if err := slow.Send(&edgev1.DeliverRequest{Message: &edgev1.DeliverRequest_Subscribe{Subscribe: &edgev1.Subscribe{GuildId: guild}}}); err != nil {
			t.Fatal(err)
		}
	}
	quick := listen(t, f, "quick")
	bot := fanouttest.NewBot(t, f.GRPCAddr())
	const total = 40
	for i := range total {
		bot.Publish(queue(256<<10 + i))
		quick.AwaitEvents(guild, i-3) // on a busy machine it would be slow, too
	}
	quick.AwaitEvents(guild, total)

	got := 0
	for {
		response, err := slow.Recv()
		if err == nil {
			got += len(response.GetBatch().GetDeliveries())
			continue
		}
		if errors.Is(err, io.EOF) || status.Code(err) != codes.ResourceExhausted {
			t.Errorf("the slow edge's stream ended with %v", err)
		}
		break
	}
	if got >= total {
		t.Errorf("the slow edge got all %d events: it was not slow", got)
	}
	if text := f.get(t, "/metrics"); !strings.Contains(string(text), "\npona_fanout_slow_edges_cut_total 1\n") {
		t.Error("no pona_fanout_slow_edges_cut_total 1")
	}
}

func TestEdgeThatBreaksTheRulesIsToldWhich(t *testing.T) {
	f := startReady(t, fanouttest.StartNATS(t).URL())
	hello := &edgev1.DeliverRequest{Message: &edgev1.DeliverRequest_Hello{Hello: &edgev1.Hello{EdgeId: "e"}}}
	for want, requests := range map[string][]*edgev1.DeliverRequest{
		"hello: must be the first message":               {{}},
		"hello.edge_id: 0 bytes, must be 1 to 128":       {{Message: &edgev1.DeliverRequest_Hello{Hello: &edgev1.Hello{}}}},
		"hello: only the first message may be one":       {hello, hello},
		"subscribe.guild_id: must not be 0":              {hello, {Message: &edgev1.DeliverRequest_Subscribe{Subscribe: &edgev1.Subscribe{}}}},
		"message: missing, or not known to this version": {hello, {}},
	} {
		stream, err := edgev1.NewEdgeServiceClient(fanouttest.Dial(t, f.GRPCAddr())).Deliver(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range requests {
			if err := stream.Send(r); err != nil {
				t.Fatal(err)
			}
		}
		for err == nil {
			_, err = stream.Recv()
		}
		if status.Code(err) != codes.InvalidArgument || status.Convert(err).Message() != want {
			t.Errorf("refused with %v, want %s", err, want)
		}
	}
}
