package main

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"

	botv1 "github.com/pona-realtime/pona/proto/pona/bot/v1"
	playerv1 "github.com/pona-realtime/pona/proto/pona/player/v1"
)

// firstGuild is the id of the first guild; the others follow.
const firstGuild = 200000000000000001

// bot publishes numbered track starts to every guild, each guild in its own order. An event that
// was not answered is published again with the same id, at another fanout, until it is stored.
type bot struct {
	fanouts []*grpc.ClientConn
	every   time.Duration // between two events of a guild
	slowed  atomic.Int64  // by this factor
	guilds  []*channel
	group   sync.WaitGroup

	mu    sync.Mutex
	crash context.CancelFunc // breaks off what is under way
	life  context.Context
	wrong error // an answer that says neither that all is well nor to try again
}

// channel is one guild's events.
type channel struct {
	guild   uint64
	stored  atomic.Int64 // the last number that is stored
	padding atomic.Int64 // bytes by which a track is made larger
}

// startBot publishes until ctx ends.
func startBot(ctx context.Context, fanouts []string, guilds int, every time.Duration) (*bot, error) {
	b := &bot{every: every}
	b.slow(1)
	b.life, b.crash = context.WithCancel(ctx)
	for _, address := range fanouts {
		connection, err := grpc.NewClient(address, grpc.WithTransportCredentials(insecure.NewCredentials()),
			grpc.WithConnectParams(grpc.ConnectParams{Backoff: backoff.Config{BaseDelay: 100 * time.Millisecond, Multiplier: 1.5, MaxDelay: time.Second}, MinConnectTimeout: time.Second}))
		if err != nil {
			return nil, err
		}
		b.fanouts = append(b.fanouts, connection)
	}
	for i := range guilds {
		c := &channel{guild: firstGuild + uint64(i)}
		b.guilds = append(b.guilds, c)
		b.group.Go(func() { b.play(ctx, c, i) })
	}
	return b, nil
}

// wait returns when nothing is published any more.
func (b *bot) wait() {
	b.group.Wait()
	for _, c := range b.fanouts {
		_ = c.Close()
	}
}

// slow makes the time between two events of a guild a multiple of what it was at first.
func (b *bot) slow(factor int64) { b.slowed.Store(factor) }

// enlarge makes the tracks of every twentieth guild larger by some bytes until restore is called.
func (b *bot) enlarge(bytes int64) (restore func()) {
	loud := b.guilds[:max(len(b.guilds)/20, 1)]
	for _, c := range loud {
		c.padding.Store(bytes)
	}
	return func() {
		for _, c := range loud {
			c.padding.Store(0)
		}
	}
}

// die breaks off every call that is under way, as a killed bot's; its successor repeats from the
// last event that it knows to be stored.
func (b *bot) die(ctx context.Context) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.crash()
	b.life, b.crash = context.WithCancel(ctx)
}

func (b *bot) alive() context.Context {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.life
}

// play publishes one guild's events, at most one at a time.
func (b *bot) play(ctx context.Context, c *channel, lane int) {
	b.publish(ctx, lane, c.created())
	pause := time.NewTimer(b.every * time.Duration(lane%16) / 16)
	defer pause.Stop()
	life := b.alive()
	for {
		select {
		case <-pause.C:
			pause.Reset(b.every * time.Duration(b.slowed.Load()))
		case <-ctx.Done():
			return
		}
		number := c.stored.Load() + 1
		if now := b.alive(); now != life && number > 1 { // the successor is not sure of the last one
			life = now
			b.publish(ctx, lane, c.started(number-1))
		}
		if b.publish(ctx, lane, c.started(number)) {
			c.stored.Store(number)
		}
	}
}

// publish repeats one event until it is stored or ctx ends.
func (b *bot) publish(ctx context.Context, lane int, e *playerv1.Event) (stored bool) {
	for attempt := lane; ctx.Err() == nil; attempt++ {
		call, cancel := context.WithTimeout(b.alive(), 3*time.Second)
		_, err := botv1.NewBotServiceClient(b.fanouts[attempt%len(b.fanouts)]).Publish(call, &botv1.PublishRequest{Events: []*playerv1.Event{e}})
		cancel()
		if err == nil {
			return true
		}
		b.judge(err)
		select {
		case <-time.After(100 * time.Millisecond):
		case <-ctx.Done():
		}
	}
	return false
}

// judge takes note of an error that does not tell a bot to try again with the same event ids.
func (b *bot) judge(err error) {
	switch status.Code(err) {
	case codes.Unavailable, codes.DeadlineExceeded, codes.Canceled:
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.wrong = err
}

// complaint is the last error that judge took note of since it was asked before.
func (b *bot) complaint() (err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	err, b.wrong = b.wrong, nil
	if err != nil {
		return fmt.Errorf("the bot was told: %w", err)
	}
	return nil
}

func (c *channel) created() *playerv1.Event {
	e := c.event(0)
	e.Kind = &playerv1.Event_PlayerCreated{PlayerCreated: &playerv1.PlayerCreated{State: []byte(
		`{"pona":{"position":0,"length":0,"voiceChannel":"7","volume":100,"equalizer":[],"repeat":{"track":false,"queue":false,"dynamic":false},` +
			`"isAutoplay":false,"paused":false,"playing":true},"current":null,"queue":[]}`)}}
	return e
}

func (c *channel) started(number int64) *playerv1.Event {
	e := c.event(number)
	track := fmt.Appendf(nil, `{"n":%d,"duration":1000,"lyrics":%q}`, number, strings.Repeat("la ", int(c.padding.Load()/3)))
	e.Kind = &playerv1.Event_TrackStarted{TrackStarted: &playerv1.TrackStarted{Track: track, Queue: fmt.Appendf(nil, "[%s]", track)}}
	return e
}

func (c *channel) event(number int64) *playerv1.Event {
	return &playerv1.Event{EventId: fmt.Sprintf("%d-%d", c.guild, number), GuildId: c.guild, PublishedAtNs: time.Now().UnixNano()}
}
