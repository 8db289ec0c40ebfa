package main

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	botv1 "github.com/pona-realtime/pona/proto/pona/bot/v1"
	playerv1 "github.com/pona-realtime/pona/proto/pona/player/v1"
	"github.com/pona-realtime/pona/test/load/stamp"
)

// bot publishes to a fanout as a bot does: every event of its own, stored before it is answered.
type bot struct {
	connection *grpc.ClientConn
	service    botv1.BotServiceClient
	id         string // prefix of its event ids
}

func dialBot(address string) (*bot, error) {
	connection, err := grpc.NewClient(address, grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithStaticStreamWindowSize(1<<20), grpc.WithStaticConnWindowSize(1<<20)) // no window to be found, no ping with each answer
	if err != nil {
		return nil, err
	}
	return &bot{connection, botv1.NewBotServiceClient(connection), rand.Text()}, nil
}

func (b *bot) close() { _ = b.connection.Close() }

// emit publishes a plan's events when they are due, and returns when all are stored.
func (b *bot) emit(p plan) error {
	ctx, cancel := context.WithTimeout(context.Background(), p.due(p.Count)+30*time.Second)
	defer cancel()
	stream, err := b.service.PublishStream(ctx)
	if err != nil {
		return fmt.Errorf("publish: %w", err)
	}
	sent := make(chan error, 1)
	go func() { sent <- b.send(stream, p) }()
	for stored := 0; stored < p.Count; {
		answer, err := stream.Recv()
		if err != nil {
			cancel()
			<-sent
			return fmt.Errorf("publish: %d of %d stored: %w", stored, p.Count, err)
		}
		stored += len(answer.GetResults())
	}
	return <-sent
}

func (b *bot) send(stream grpc.BidiStreamingClient[botv1.PublishStreamRequest, botv1.PublishStreamResponse], p plan) error {
	began := time.Now()
	for i := range p.Count {
		time.Sleep(time.Until(began.Add(p.due(i))))
		event, err := b.event(p, i)
		if err != nil {
			return err
		}
		if err := stream.Send(&botv1.PublishStreamRequest{Events: []*playerv1.Event{event}}); err != nil {
			return err
		}
	}
	return stream.CloseSend()
}

func (b *bot) event(p plan, i int) (*playerv1.Event, error) {
	text := stamp.Stamp{At: stamp.Now(), Run: p.Run, Sequence: i}.String() + p.Bodies[i%len(p.Bodies)]
	args, err := json.Marshal([]string{text})
	if err != nil {
		return nil, err
	}
	return &playerv1.Event{
		EventId:       fmt.Sprintf("%s-%d-%d", b.id, p.Run, i),
		GuildId:       p.First + uint64(i%p.Guilds),
		PublishedAtNs: time.Now().UnixNano(),
		Kind:          &playerv1.Event_Generic{Generic: &playerv1.GenericEvent{Room: p.Room, Name: p.Event, Args: args}},
	}, nil
}
