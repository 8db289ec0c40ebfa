package simbot

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"

	"google.golang.org/grpc"

	botv1 "github.com/pona-realtime/pona/proto/pona/bot/v1"
)

// maxAnswers is how many answers may wait to be sent; beyond that they are dropped, and the
// listener's client is told by the fanout that the bot did not answer in time.
const maxAnswers = 256

type commandStream = grpc.BidiStreamingClient[botv1.ServeCommandsRequest, botv1.ServeCommandsResponse]

// serve answers commands until ctx ends, on one stream after another.
func (b *Bot) serve(ctx context.Context) {
	pause := retryPause(b.options.Retry)
	for ctx.Err() == nil {
		registered, err := b.serveStream(ctx)
		if ctx.Err() != nil {
			return
		}
		if registered {
			pause.Reset()
		}
		b.options.Log.Debug("command stream ended", slog.Any("error", err))
		wait(ctx, pause.NextBackOff())
	}
}

// serveStream registers and serves on one stream until it ends. It says whether the fanout took the
// registration, and why the stream ended.
func (b *Bot) serveStream(parent context.Context) (registered bool, err error) {
	ctx, cancel := context.WithCancel(parent)
	stream, err := b.client.ServeCommands(ctx)
	if err != nil {
		cancel()
		return false, err
	}
	if err := stream.Send(b.registration()); err != nil {
		cancel()
		_, err = stream.Recv()
		return false, err
	}
	answers := make(chan *botv1.Answer, maxAnswers)
	sender := make(chan struct{})
	go func() {
		defer close(sender)
		send(ctx, stream, answers)
	}()
	defer func() {
		cancel()
		<-sender
	}()
	for {
		message, err := stream.Recv()
		if err != nil {
			return registered, err
		}
		if taken := message.GetRegistered(); taken != nil {
			registered = true
			b.options.Log.Info("bot serves its guilds", slog.Int("guilds", len(b.guilds)), slog.String("fanout", taken.GetFanoutId()))
		}
		if c := message.GetCommand(); c != nil {
			b.take(c, answers)
		}
	}
}

func (b *Bot) registration() *botv1.ServeCommandsRequest {
	return &botv1.ServeCommandsRequest{Message: &botv1.ServeCommandsRequest_Registration{
		Registration: &botv1.Registration{
			BotName: b.options.Name,
			Scope: &botv1.Registration_Guilds{Guilds: &botv1.GuildList{
				GuildIds: slices.Sorted(maps.Keys(b.guilds)),
			}},
		},
	}}
}

// take gives a command to its guild, which answers it, or refuses it at once.
func (b *Bot) take(c *botv1.Command, answers chan<- *botv1.Answer) {
	answer := func(sequence uint64, refusal error) {
		a := &botv1.Answer{CommandId: c.GetCommandId(), Status: botv1.Status_STATUS_OK, Sequence: sequence}
		if refusal != nil {
			a.Status, a.Reason = botv1.Status_STATUS_ERROR, refusal.Error()
		}
		select {
		case answers <- a:
		default:
			b.options.Log.Warn("answer dropped", slog.String("command", c.GetName()))
		}
	}
	g, ours := b.guilds[c.GetGuildId()]
	if !ours {
		answer(0, fmt.Errorf("guild %d is not served by this bot", c.GetGuildId()))
		return
	}
	args := make([]json.RawMessage, len(c.GetArgs()))
	for i, arg := range c.GetArgs() {
		args[i] = arg
	}
	select {
	case g.orders <- order{command{user: c.GetUserId(), name: c.GetName(), args: args}, answer}:
	default:
		answer(0, errors.New("the bot is busy"))
	}
}

// send writes answers until ctx or the stream ends.
func send(ctx context.Context, stream commandStream, answers <-chan *botv1.Answer) {
	for {
		select {
		case <-ctx.Done():
			return
		case a := <-answers:
			if stream.Send(&botv1.ServeCommandsRequest{Message: &botv1.ServeCommandsRequest_Answer{Answer: a}}) != nil {
				return
			}
		}
	}
}
