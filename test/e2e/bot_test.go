package e2e

import (
	"fmt"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	botv1 "github.com/pona-realtime/pona/proto/pona/bot/v1"
	playerv1 "github.com/pona-realtime/pona/proto/pona/player/v1"
)

// bot publishes what a test tells it to, byte for byte.
type bot struct {
	client botv1.BotServiceClient
	guild  uint64
	events int
}

// newBot connects a bot to a fanout, without TLS and token where no options say otherwise.
func newBot(t *testing.T, addr string, guild uint64, options ...grpc.DialOption) *bot {
	t.Helper()
	if len(options) == 0 {
		options = append(options, grpc.WithTransportCredentials(insecure.NewCredentials()))
	}
	conn, err := grpc.NewClient(addr, options...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return &bot{client: botv1.NewBotServiceClient(conn), guild: guild}
}

// publish stores events in order and returns their sequences.
func (b *bot) publish(t *testing.T, events ...*playerv1.Event) []uint64 {
	t.Helper()
	for _, e := range events {
		b.events++
		e.EventId, e.GuildId = fmt.Sprintf("%s-%d-%d", t.Name(), b.guild, b.events), b.guild
	}
	response, err := b.client.Publish(t.Context(), &botv1.PublishRequest{Events: events})
	if err != nil {
		t.Fatalf("publish: %v", err)
	}
	var sequences []uint64
	for _, r := range response.GetResults() {
		sequences = append(sequences, r.GetSequence())
	}
	return sequences
}
