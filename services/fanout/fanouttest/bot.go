package fanouttest

import (
	"context"
	"fmt"
	"testing"

	"google.golang.org/grpc"

	botv1 "github.com/pona-realtime/pona/proto/pona/bot/v1"
	playerv1 "github.com/pona-realtime/pona/proto/pona/player/v1"
)

// Track is what a bot may write of a track: a number that no float keeps as written, keys in no
// order, text outside ASCII, what encoders like to escape and escapes that they like to resolve.
const Track = `{"uniqueId":"a1","title":"夜に駆ける <&> \u2028 \/","duration":9223372036854776000,"position":1.50}`

// Volume is a small event, told apart by its number.
func Volume(guildID uint64, number int) *playerv1.Event {
	return &playerv1.Event{
		EventId: fmt.Sprintf("v-%d-%d", guildID, number), GuildId: guildID,
		Kind: &playerv1.Event_VolumeUpdated{VolumeUpdated: &playerv1.VolumeUpdated{Volume: fmt.Sprint(number)}},
	}
}

// Position is a position, which is not stored.
func Position(guildID uint64, ms string) *playerv1.Event {
	return &playerv1.Event{
		EventId: "p-" + ms, GuildId: guildID,
		Kind: &playerv1.Event_PositionUpdated{PositionUpdated: &playerv1.PositionUpdated{Position: ms}},
	}
}

// Bot publishes over one connection.
type Bot struct {
	t      testing.TB
	Client botv1.BotServiceClient
	Conn   *grpc.ClientConn
}

// NewBot connects a bot.
func NewBot(t testing.TB, address string) *Bot {
	t.Helper()
	conn := Dial(t, address)
	return &Bot{t, botv1.NewBotServiceClient(conn), conn}
}

// Publish stores events and gives the results; an error fails the test.
func (b *Bot) Publish(events ...*playerv1.Event) []*botv1.PublishResult {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), Patience)
	defer cancel()
	response, err := b.Client.Publish(ctx, &botv1.PublishRequest{Events: events})
	if err != nil {
		b.t.Fatal(err)
	}
	return response.GetResults()
}
