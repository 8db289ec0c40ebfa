// Package simbot is a Discord music bot without Discord and without sound: a few guilds whose music
// plays on, with queues, lyrics and members, and which obeys its listeners.
//
// It is a bot like any other: it speaks pona.bot.v1 over gRPC and nothing else. The commands are
// those of the web player. The same seed makes the same music; time is time.Now, which
// testing/synctest can replace.
//
//	player (one a guild) ──events──▶ publisher ──PublishStream──▶ fanout
//	   ▲                                 │ sequence
//	   └──command── serve ◀──────────────┘──answer──▶ ServeCommands
package simbot

import (
	"context"
	"crypto/rand"
	"log/slog"
	"time"

	"golang.org/x/sync/errgroup"
	"google.golang.org/grpc"

	botv1 "github.com/pona-realtime/pona/proto/pona/bot/v1"
)

// Options tunes a bot; the zero value is ready to use.
type Options struct {
	Seed     uint64        // of the music; any value
	Name     string        // of the bot in the fanout's logs; empty means simbot
	EventIDs string        // what event ids start with; empty means a random text for each bot
	Log      *slog.Logger  // nil means none
	Retry    time.Duration // first pause before calling again; doubles up to 2 s; 0 means 50 ms
}

// Bot is a simulated bot. Make one with New and give it its life with Run.
type Bot struct {
	options   Options
	client    botv1.BotServiceClient
	guilds    map[uint64]*guild
	publisher *publisher
}

// New makes a bot that will talk to the fanout at the other end of conn.
func New(conn grpc.ClientConnInterface, o Options) *Bot {
	if o.Name == "" {
		o.Name = "simbot"
	}
	if o.EventIDs == "" {
		o.EventIDs = rand.Text()[:10]
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Retry == 0 {
		o.Retry = 50 * time.Millisecond
	}
	b := &Bot{options: o, client: botv1.NewBotServiceClient(conn), guilds: map[uint64]*guild{}}
	b.publisher = newPublisher(b.client, o)
	catalogue := loadCatalogue()
	for _, g := range catalogue.guilds {
		b.guilds[g.ID] = newGuild(catalogue, g, o.Seed, b.publisher)
	}
	return b
}

// Run plays and serves until ctx ends, which is no error. A fanout that cannot be reached is called
// again for ever.
func (b *Bot) Run(ctx context.Context) error {
	group, ctx := errgroup.WithContext(ctx)
	for _, g := range b.guilds {
		group.Go(func() error { g.run(ctx); return nil })
	}
	group.Go(func() error { b.publisher.run(ctx); return nil })
	group.Go(func() error { b.serve(ctx); return nil })
	return group.Wait()
}
