package e2e

import (
	"context"
	"fmt"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"

	botv1 "github.com/pona-realtime/pona/proto/pona/bot/v1"
	playerv1 "github.com/pona-realtime/pona/proto/pona/player/v1"
)

// A fanout is killed while a bot has events under way to it. The bot is told so clearly, repeats what was
// not answered at another fanout, with the same ids, and a listener gets each event once and in order.
func TestBotRepeatsWhenItsFanoutIsKilled(t *testing.T) {
	nats := startNATS(t)
	var fanouts []*process
	var addresses []string
	for _, id := range []string{"one", "two"} {
		f := start(t, "fanout "+id, program(t, "fanout"), "--id", id, "--grpc", "127.0.0.1:0", "--admin", "127.0.0.1:0", "--nats-url", nats.URL())
		line, _ := f.await(t, 0, "where it listens", fanoutLine.MatchString)
		fanouts, addresses = append(fanouts, f), append(addresses, fanoutLine.FindStringSubmatch(line)[1])
	}
	edge := start(t, "edge", program(t, "edge"), "--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0", "--auth", "insecure-dev", "--fanout", addresses[0]+","+addresses[1])
	line, _ := edge.await(t, 0, "where it listens", edgeLine.MatchString)

	const guilds, events, underWay = 4, 400, 32 // of each guild; some are the killed fanout's partitions
	var listeners []*listener
	b := &repeatingBot{name: t.Name()}
	for range guilds {
		guild := newGuild()
		l := listen(t, "http://"+edgeLine.FindStringSubmatch(line)[1], guild, "user:1", []string{"websocket"})
		l.payload(t, "handshake")
		listeners = append(listeners, l)
		b.guilds = append(b.guilds, guild)
	}
	b.total = guilds * events
	code := b.publish(t, addresses[0], underWay, func(answered int) {
		if answered == b.total/4 {
			fanouts[0].kill()
		}
	})
	if code != codes.Unavailable {
		t.Errorf("the stream to a fanout that was killed ended with %s, want Unavailable", code)
	}
	if b.answered == b.total {
		t.Fatal("the fanout was killed too late")
	}
	if code := b.publish(t, addresses[1], underWay, func(int) {}); code != codes.OK {
		t.Errorf("the stream to the other fanout ended with %s", code)
	}
	for i, l := range listeners {
		for n := range events {
			if got, want := l.number(t, "volume_updated"), fmt.Sprint(n); got != want {
				t.Fatalf("guild %d: got event %s, want %s", i, got, want)
			}
		}
	}
}

// repeatingBot publishes numbered events to its guilds in turn, and goes on after the last that was answered.
type repeatingBot struct {
	name     string
	guilds   []uint64
	total    int
	answered int
}

// publish streams what was not answered yet, at most some requests ahead of the answers, until all is
// answered or the stream ends; it returns how.
func (b *repeatingBot) publish(t *testing.T, address string, ahead int, progress func(answered int)) codes.Code {
	t.Helper()
	conn, err := grpc.NewClient(address, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 2*patience)
	defer cancel()
	stream, err := botv1.NewBotServiceClient(conn).PublishStream(ctx)
	if err != nil {
		t.Fatal(err)
	}
	tokens := make(chan struct{}, ahead)
	sent, first := make(chan struct{}), b.answered
	go func() {
		defer close(sent)
		for n := first; n < b.total; n++ {
			select {
			case tokens <- struct{}{}:
			case <-stream.Context().Done():
				return
			}
			if stream.Send(&botv1.PublishStreamRequest{Events: []*playerv1.Event{b.event(n)}}) != nil {
				return // Recv says why
			}
		}
		_ = stream.CloseSend()
	}()
	for err == nil && b.answered < b.total {
		if _, err = stream.Recv(); err == nil {
			<-tokens
			b.answered++
			progress(b.answered)
		}
	}
	cancel()
	<-sent
	return status.Code(err)
}

func (b *repeatingBot) event(n int) *playerv1.Event {
	return &playerv1.Event{
		EventId: fmt.Sprintf("%s-%d", b.name, n), GuildId: b.guilds[n%len(b.guilds)], PublishedAtNs: time.Now().UnixNano(),
		Kind: &playerv1.Event_VolumeUpdated{VolumeUpdated: &playerv1.VolumeUpdated{Volume: fmt.Sprint(n / len(b.guilds))}},
	}
}
