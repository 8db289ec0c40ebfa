// Command bot is the smallest complete bot in Go: it publishes an event and obeys one command.
package main

import (
	"context"
	"flag"
	"fmt"
	"log"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	botv1 "github.com/pona-realtime/pona/proto/pona/bot/v1"
	playerv1 "github.com/pona-realtime/pona/proto/pona/player/v1"
)

func main() {
	fanout := flag.String("fanout", "127.0.0.1:7070", "address of a fanout")
	guild := flag.Uint64("guild", 100000000000000777, "guild to play in")
	flag.Parse()
	if err := play(context.Background(), *fanout, *guild); err != nil {
		log.Fatal(err)
	}
}

func play(ctx context.Context, fanout string, guild uint64) error {
	conn, err := grpc.NewClient(fanout, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		return err
	}
	defer conn.Close()
	bot := botv1.NewBotServiceClient(conn)

	// Say which guilds this bot answers for; commands come on the same stream.
	commands, err := bot.ServeCommands(ctx)
	if err != nil {
		return err
	}
	if err := commands.Send(&botv1.ServeCommandsRequest{Message: &botv1.ServeCommandsRequest_Registration{
		Registration: &botv1.Registration{BotName: "example", Scope: &botv1.Registration_Guilds{Guilds: &botv1.GuildList{GuildIds: []uint64{guild}}}},
	}}); err != nil {
		return err
	}
	if _, err := commands.Recv(); err != nil { // Registered
		return err
	}

	// Publish: an event sent again with the same id is stored once, so retry as you like.
	publish := func(event *playerv1.Event) error {
		event.GuildId = guild
		event.EventId = fmt.Sprintf("example-%d", time.Now().UnixNano())
		event.PublishedAtNs = time.Now().UnixNano()
		_, err := bot.Publish(ctx, &botv1.PublishRequest{Events: []*playerv1.Event{event}})
		return err
	}
	track := []byte(`{"title":"Autumn Leaves","author":"Bill Evans","duration":365000}`)
	if err := publish(&playerv1.Event{Kind: &playerv1.Event_TrackStarted{
		TrackStarted: &playerv1.TrackStarted{Track: track, Queue: append(append([]byte("["), track...), ']')},
	}}); err != nil {
		return err
	}
	fmt.Println("playing")

	// Obey: publish what a command causes, then answer; the listener gets both in that order.
	for {
		message, err := commands.Recv()
		if err != nil {
			return err
		}
		command := message.GetCommand()
		fmt.Println("command", command.GetName())
		answer := &botv1.Answer{CommandId: command.GetCommandId(), Status: botv1.Status_STATUS_OK}
		switch command.GetName() {
		case "pause", "play":
			err = publish(&playerv1.Event{Kind: &playerv1.Event_PauseUpdated{
				PauseUpdated: &playerv1.PauseUpdated{Paused: command.GetName() == "pause"},
			}})
		default:
			answer.Status, answer.Reason = botv1.Status_STATUS_ERROR, "this bot only pauses and plays"
		}
		if err != nil {
			return err
		}
		if err := commands.Send(&botv1.ServeCommandsRequest{Message: &botv1.ServeCommandsRequest_Answer{Answer: answer}}); err != nil {
			return err
		}
	}
}
