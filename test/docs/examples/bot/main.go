// Command bot is a whole small bot: what it publishes is stored once and in order, each command gets an answer, and it
// outlives connections and fanouts.
package main

import (
	"context"
	"crypto/rand"
	"flag"
	"fmt"
	"log"
	"os"
	"time"

	"github.com/cenkalti/backoff/v5"
	"google.golang.org/grpc"
	grpcbackoff "google.golang.org/grpc/backoff"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/keepalive"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	botv1 "github.com/pona-realtime/pona/proto/pona/bot/v1"
	playerv1 "github.com/pona-realtime/pona/proto/pona/player/v1"
)

const shortest, longest = 100 * time.Millisecond, 5 * time.Second // pauses between two tries

func main() {
	fanout := flag.String("fanout", "127.0.0.1:7070", "address of a fanout")
	guild := flag.Uint64("guild", 100000000000000777, "guild to play in")
	flag.Parse()
	ctx := context.Background()
	if token := os.Getenv("PONA_TOKEN"); token != "" {
		ctx = metadata.AppendToOutgoingContext(ctx, "authorization", "Bearer "+token)
	}
	conn, err := connect(*fanout, os.Getenv("PONA_CA"))
	if err != nil {
		log.Fatal(err)
	}
	log.Fatal(bot{botv1.NewBotServiceClient(conn), *guild}.play(ctx))
}

// connect uses TLS where there is a file with the authority of the fanouts' certificates.
func connect(fanout, authority string) (*grpc.ClientConn, error) {
	security := insecure.NewCredentials()
	if authority != "" {
		var err error
		if security, err = credentials.NewClientTLSFromFile(authority, ""); err != nil {
			return nil, err
		}
	}
	return grpc.NewClient(fanout, grpc.WithTransportCredentials(security),
		grpc.WithKeepaliveParams(keepalive.ClientParameters{Time: 30 * time.Second, Timeout: 10 * time.Second}), // notices silence
		grpc.WithConnectParams(grpc.ConnectParams{MinConnectTimeout: longest,
			Backoff: grpcbackoff.Config{BaseDelay: shortest, Multiplier: 2, Jitter: 0.5, MaxDelay: longest}}))
}

// bot plays in one guild. One goroutine publishes and obeys, so everything keeps its order.
type bot struct {
	client botv1.BotServiceClient
	guild  uint64
}

func (b bot) play(ctx context.Context) error {
	track := `{"title":"Autumn Leaves","author":"Bill Evans","duration":365000}`
	channel := &playerv1.ChannelUpdated{Channel: []byte(`"200000000000000777"`)}
	started := &playerv1.TrackStarted{Track: []byte(track), Queue: []byte("[" + track + "]")}
	if _, err := b.publish(ctx, &playerv1.Event{Kind: &playerv1.Event_ChannelUpdated{ChannelUpdated: channel}},
		&playerv1.Event{Kind: &playerv1.Event_TrackStarted{TrackStarted: started}}); err != nil {
		return err
	}
	fmt.Println("playing in", b.guild)
	return again(ctx, func(pauses backoff.BackOff) error { return b.serve(ctx, pauses) })
}

// publish returns the sequence of the last event once all are stored. It sends them again with the same ids: stored once.
func (b bot) publish(ctx context.Context, events ...*playerv1.Event) (sequence uint64, err error) {
	for _, e := range events {
		e.EventId, e.GuildId, e.PublishedAtNs = rand.Text(), b.guild, time.Now().UnixNano()
	}
	err = again(ctx, func(backoff.BackOff) error {
		ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
		defer cancel()
		response, err := b.client.Publish(ctx, &botv1.PublishRequest{Events: events})
		if err == nil {
			sequence = response.GetResults()[len(events)-1].GetSequence()
		}
		return err
	})
	return sequence, err
}

// serve registers the bot for its guild and answers commands, until the stream ends.
func (b bot) serve(ctx context.Context, pauses backoff.BackOff) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	stream, err := b.client.ServeCommands(ctx)
	if err != nil {
		return err
	}
	guilds := &botv1.Registration_Guilds{Guilds: &botv1.GuildList{GuildIds: []uint64{b.guild}}}
	_ = stream.Send(&botv1.ServeCommandsRequest{Message: &botv1.ServeCommandsRequest_Registration{
		Registration: &botv1.Registration{BotName: "example", Scope: guilds}}}) // Recv says why it fails
	for {
		message, err := stream.Recv()
		if err != nil {
			return err
		}
		if message.GetRegistered() != nil {
			fmt.Println("takes commands")
			pauses.Reset()
		}
		if command := message.GetCommand(); command != nil {
			_ = stream.Send(&botv1.ServeCommandsRequest{Message: &botv1.ServeCommandsRequest_Answer{Answer: b.obey(ctx, command)}})
		}
	}
}

// obey publishes what a command causes, and then answers: the listener gets both in that order.
func (b bot) obey(ctx context.Context, command *botv1.Command) *botv1.Answer {
	name, answer := command.GetName(), &botv1.Answer{CommandId: command.GetCommandId(), Status: botv1.Status_STATUS_ERROR}
	if name != "pause" && name != "play" {
		answer.Reason = "this bot only pauses and plays"
		return answer
	}
	paused := &playerv1.PauseUpdated{Paused: name == "pause"}
	sequence, err := b.publish(ctx, &playerv1.Event{Kind: &playerv1.Event_PauseUpdated{PauseUpdated: paused}})
	if err != nil {
		answer.Reason = err.Error()
		return answer
	}
	answer.Status, answer.Sequence = botv1.Status_STATUS_OK, sequence
	return answer
}

// again tries until it succeeds. What is refused for what it says would be refused for ever.
func again(ctx context.Context, try func(pauses backoff.BackOff) error) error {
	pauses := &backoff.ExponentialBackOff{InitialInterval: shortest, RandomizationFactor: 0.5, Multiplier: 2, MaxInterval: longest}
	_, err := backoff.Retry(ctx, func() (none struct{}, err error) {
		if err = try(pauses); status.Code(err) == codes.InvalidArgument {
			err = backoff.Permanent(err)
		}
		return none, err
	}, backoff.WithBackOff(pauses), backoff.WithMaxElapsedTime(0), backoff.WithNotify(func(err error, pause time.Duration) {
		log.Printf("%v; again in %v", err, pause)
	}))
	return err
}
