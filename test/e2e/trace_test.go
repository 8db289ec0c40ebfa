package e2e

import (
	"context"
	"fmt"
	"io"
	"maps"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"

	"github.com/pona-realtime/pona/pkg/player"
	botv1 "github.com/pona-realtime/pona/proto/pona/bot/v1"
	edgev1 "github.com/pona-realtime/pona/proto/pona/edge/v1"
	playerv1 "github.com/pona-realtime/pona/proto/pona/player/v1"
)

// TestOneTraceFromTheBotToEverySocket has a bot at one fanout publish for a guild that another one owns, with
// listeners on two edges, and listens as a collector of traces to what all four processes say of it. Then a
// listener's command goes the way back.
func TestOneTraceFromTheBotToEverySocket(t *testing.T) {
	spans := startCollector(t)
	t.Setenv("OTEL_BSP_SCHEDULE_DELAY", "50") // ms
	t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", spans.url)
	nats := startNATS(t)
	fanout := func(id string) string {
		p := start(t, id, program(t, "fanout"), "--id", id, "--grpc", "127.0.0.1:0", "--admin", "127.0.0.1:0", "--nats-url", nats.URL())
		line, _ := p.await(t, 0, "where it listens", fanoutLine.MatchString)
		return fanoutLine.FindStringSubmatch(line)[1]
	}
	here := fanout("here")
	conn := dial(t, here)
	there := fanout("there")
	guild := ownedBy(t, there)
	var listeners []*listener
	for i := range 2 {
		p := start(t, "edge", program(t, "edge"), "--id", fmt.Sprint("edge ", i), "--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0",
			"--auth", "insecure-dev", "--fanout", here+","+there, "--trace-ratio", "1")
		line, _ := p.await(t, 0, "where it listens", edgeLine.MatchString)
		listeners = append(listeners, listen(t, "http://"+edgeLine.FindStringSubmatch(line)[1], guild, fmt.Sprintf("user:%d", i+1), []string{"websocket"}))
	}
	for _, l := range listeners {
		l.payload(t, "handshake")
	}
	bot := botv1.NewBotServiceClient(conn)
	volume := func(id, text string) []*playerv1.Event {
		return []*playerv1.Event{{EventId: id, GuildId: guild, Kind: &playerv1.Event_VolumeUpdated{VolumeUpdated: &playerv1.VolumeUpdated{Volume: text}}}}
	}

	const called, streamed = "4bf92f3577b34da6a3ce929d0e0e4736", "0af7651916cd43dd8448eb211c80319c"
	const caller = "00f067aa0ba902b7"
	if _, err := bot.Publish(t.Context(), &botv1.PublishRequest{Events: volume("untraced", "1")}); err != nil {
		t.Fatal(err)
	}
	ctx := metadata.AppendToOutgoingContext(t.Context(), "traceparent", "00-"+called+"-"+caller+"-01")
	if _, err := bot.Publish(ctx, &botv1.PublishRequest{Events: volume("called", "2")}); err != nil {
		t.Fatal(err)
	}
	stream, err := bot.PublishStream(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := stream.Send(&botv1.PublishStreamRequest{Events: volume("streamed", "3"), Traceparent: "00-" + streamed + "-" + caller + "-01"}); err != nil {
		t.Fatal(err)
	}
	if _, err := stream.Recv(); err != nil {
		t.Fatal(err)
	}
	for _, l := range listeners {
		for range 3 {
			l.event(t, "volume_updated")
		}
	}
	for trace, root := range map[string]string{called: "pona.bot.v1.BotService/Publish", streamed: "publish"} {
		want := []string{
			"edge 0: deliver", "edge 0: emit", "edge 1: deliver", "edge 1: emit", "here: " + root, "here: store", "there: route",
		}
		found := spans.of(t, trace, len(want))
		if names := namesOf(found); !slices.Equal(names, want) {
			t.Errorf("%s: spans %q, want %q", root, names, want)
		}
		linked(t, found, caller)
		for _, s := range found {
			if s.name == "emit" && (s.attributes["pona.sockets"] != int64(1) || s.attributes["pona.bytes"].(int64) < 20) {
				t.Errorf("%s: emitted %v", root, s.attributes)
			}
		}
	}

	commands, asked := serve(t, bot)
	id := listeners[0].ask(t, "pause")
	command := <-asked
	if err := commands.Send(&botv1.ServeCommandsRequest{Message: &botv1.ServeCommandsRequest_Answer{
		Answer: &botv1.Answer{CommandId: command.GetCommandId(), Status: botv1.Status_STATUS_OK},
	}}); err != nil {
		t.Fatal(err)
	}
	listeners[0].answer(t, id)
	parts := strings.Split(command.GetTraceparent(), "-")
	if len(parts) != 4 {
		t.Fatalf("the bot is told of trace %q", command.GetTraceparent())
	}
	want := []string{"edge 0: command", "edge 0: pona.edge.v1.EdgeService/Dispatch", "here: ask bot", "there: pona.edge.v1.EdgeService/Dispatch"}
	found := spans.of(t, parts[1], len(want))
	if names := namesOf(found); !slices.Equal(names, want) {
		t.Errorf("the command's spans are %q, want %q", names, want)
	}
	linked(t, found, "")
	if i := slices.IndexFunc(found, func(s span) bool { return s.name == "ask bot" }); found[i].id != parts[2] {
		t.Errorf("the bot is told of span %s, which is not %s", parts[2], found[i].id)
	}
	for trace, names := range spans.traces() {
		if trace != called && trace != streamed && trace != parts[1] {
			t.Errorf("nobody asked for a trace of %q", names)
		}
	}
}

// TestTheTraceGoesOnWhereAnEdgeCatchesUp cuts one of two edges off its fanout while a traced event passes: that edge gets it
// from the stream when it is back, as a branch of the same trace.
func TestTheTraceGoesOnWhereAnEdgeCatchesUp(t *testing.T) {
	spans := startCollector(t)
	t.Setenv("OTEL_BSP_SCHEDULE_DELAY", "50") // ms
	t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", spans.url)
	f := start(t, "fanout", program(t, "fanout"), "--id", "fanout", "--grpc", "127.0.0.1:0", "--admin", "127.0.0.1:0", "--nats-url", startNATS(t).URL())
	line, _ := f.await(t, 0, "where it listens", fanoutLine.MatchString)
	address := fanoutLine.FindStringSubmatch(line)[1]
	cable := lay(t, address)
	guild := newGuild()
	var listeners []*listener
	for i, fanout := range []string{address, cable.address} {
		p := start(t, "edge", program(t, "edge"), "--id", fmt.Sprint("edge ", i), "--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0",
			"--auth", "insecure-dev", "--fanout", fanout)
		line, _ := p.await(t, 0, "where it listens", edgeLine.MatchString)
		listeners = append(listeners, listen(t, "http://"+edgeLine.FindStringSubmatch(line)[1], guild, fmt.Sprintf("user:%d", i+1), []string{"websocket"}))
	}
	bot := botv1.NewBotServiceClient(dial(t, address))
	const trace, caller = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
	publish := func(ctx context.Context, id string) {
		t.Helper()
		if _, err := bot.Publish(ctx, &botv1.PublishRequest{Events: []*playerv1.Event{
			{EventId: id, GuildId: guild, Kind: &playerv1.Event_VolumeUpdated{VolumeUpdated: &playerv1.VolumeUpdated{Volume: id}}},
		}}); err != nil {
			t.Fatal(err)
		}
	}
	for _, l := range listeners {
		l.payload(t, "handshake")
	}
	publish(t.Context(), "1")
	for _, l := range listeners {
		l.event(t, "volume_updated")
	}

	cable.cut()
	publish(metadata.AppendToOutgoingContext(t.Context(), "traceparent", "00-"+trace+"-"+caller+"-01"), "2")
	listeners[0].event(t, "volume_updated") // so that its owner has handled it
	cable.mend()
	listeners[1].event(t, "volume_updated")

	want := []string{
		"edge 0: deliver", "edge 0: emit", "edge 1: deliver", "edge 1: emit",
		"fanout: pona.bot.v1.BotService/Publish", "fanout: route", "fanout: route", "fanout: store",
	}
	found := spans.of(t, trace, len(want))
	if names := namesOf(found); !slices.Equal(names, want) {
		t.Errorf("spans %q, want %q", names, want)
	}
	linked(t, found, caller)
	names := map[string]string{}
	for _, s := range found {
		names[s.id] = s.name
		if s.attributes["pona.replayed"] == true {
			names[s.id] = "replay"
		}
	}
	for edge, from := range map[string]string{"edge 0": "route", "edge 1": "replay"} {
		i := slices.IndexFunc(found, func(s span) bool { return s.instance == edge && s.name == "deliver" })
		if i < 0 || names[found[i].parent] != from {
			t.Errorf("%s has its span not from a %s: %+v", edge, from, found)
		}
	}
}

// cable is a TCP connection to an address that can be cut.
type cable struct {
	address string

	mu    sync.Mutex
	isCut bool
	ends  map[net.Conn]struct{}
}

func lay(t *testing.T, to string) *cable {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	c := &cable{address: listener.Addr().String(), ends: map[net.Conn]struct{}{}}
	var carrying sync.WaitGroup
	carrying.Go(func() {
		for {
			near, err := listener.Accept()
			if err != nil {
				return
			}
			far, err := net.Dial("tcp", to)
			if err != nil {
				near.Close()
				continue
			}
			for _, ends := range [][2]net.Conn{{near, far}, {far, near}} {
				c.hold(ends[0])
				carrying.Go(func() {
					_, _ = io.Copy(ends[0], ends[1])
					near.Close()
					far.Close()
				})
			}
		}
	})
	t.Cleanup(func() { listener.Close(); c.cut(); carrying.Wait() })
	return c
}

// hold closes an end when the cable is cut, or at once where it is.
func (c *cable) hold(end net.Conn) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.ends[end] = struct{}{}
	if c.isCut {
		end.Close()
	}
}

func (c *cable) cut() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.isCut = true
	for end := range c.ends {
		end.Close()
	}
	clear(c.ends)
}

func (c *cable) mend() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.isCut = false
}

func dial(t *testing.T, address string) *grpc.ClientConn {
	t.Helper()
	conn, err := grpc.NewClient(address, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return conn
}

// ownedBy is a guild of a partition that a fanout owns.
func ownedBy(t *testing.T, fanout string) uint64 {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	stream, err := edgev1.NewEdgeServiceClient(dial(t, fanout)).Deliver(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if err := stream.Send(&edgev1.DeliverRequest{Message: &edgev1.DeliverRequest_Hello{Hello: &edgev1.Hello{EdgeId: "test"}}}); err != nil {
		t.Fatal(err)
	}
	for {
		response, err := stream.Recv()
		if err != nil {
			t.Fatal(err)
		}
		owned := map[uint32]bool{}
		for _, p := range response.GetOwned().GetPartitions() {
			owned[p.GetNumber()] = true
		}
		for len(owned) > 0 {
			if guild := newGuild(); owned[player.Partition(guild, response.GetOwned().GetPartitionCount())] {
				return guild
			}
		}
	}
}

// serve registers a bot for every guild and passes on the commands that come.
func serve(t *testing.T, bot botv1.BotServiceClient) (grpc.BidiStreamingClient[botv1.ServeCommandsRequest, botv1.ServeCommandsResponse], <-chan *botv1.Command) {
	t.Helper()
	stream, err := bot.ServeCommands(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := stream.Send(&botv1.ServeCommandsRequest{Message: &botv1.ServeCommandsRequest_Registration{
		Registration: &botv1.Registration{BotName: "bot", Scope: &botv1.Registration_All{All: &botv1.AllGuilds{}}},
	}}); err != nil {
		t.Fatal(err)
	}
	if _, err := stream.Recv(); err != nil { // Registered
		t.Fatal(err)
	}
	commands := make(chan *botv1.Command)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for {
			response, err := stream.Recv()
			if err != nil {
				return
			}
			select {
			case commands <- response.GetCommand():
			case <-stream.Context().Done():
			}
		}
	}()
	t.Cleanup(func() { <-ended }) // t.Context has ended by then
	return stream, commands
}

func namesOf(spans []span) (names []string) {
	for _, s := range spans {
		names = append(names, s.instance+": "+s.name)
	}
	slices.Sort(names)
	return names
}

// linked checks that each span's parent is another of the trace, but for one: its parent is the caller's, empty for none.
func linked(t *testing.T, spans []span, caller string) {
	t.Helper()
	known := map[string]string{caller: "the caller"}
	for _, s := range spans {
		known[s.id] = s.name
	}
	roots := 0
	for _, s := range spans {
		parent, is := known[s.parent]
		if !is {
			t.Errorf("the parent of %q is none of %v", s.name, slices.Collect(maps.Values(known)))
		}
		if parent == "the caller" {
			roots++
		}
	}
	if roots != 1 {
		t.Errorf("%d spans are the caller's children", roots)
	}
}
