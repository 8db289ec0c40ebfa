package gateway

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"sync"
	"time"

	"go.opentelemetry.io/otel/trace"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/pona-realtime/pona/pkg/socketio"
	edgev1 "github.com/pona-realtime/pona/proto/pona/edge/v1"
)

const (
	maxCommandName = 128                    // bytes
	headStart      = 100 * time.Millisecond // of a command before the socket's next one
	effectPatience = time.Second            // for an acknowledgement to wait for the command's effect
)

// commands are those of one socket that have no answer yet.
//
// A socket's next command sets out when the one before has been answered, or has been under way for
// headStart: quick ones keep their order, and a slow one does not hold up the rest.
type commands struct {
	mu     sync.Mutex
	atOnce int
	last   chan struct{} // closed when the next one may set out; nil means now
}

// begin takes a place among limit; before may be nil.
func (c *commands) begin(limit int) (before <-chan struct{}, pass func(), ok bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.atOnce >= limit {
		return nil, nil, false
	}
	c.atOnce++
	mine := make(chan struct{})
	before, c.last = c.last, mine
	return before, sync.OnceFunc(func() { close(mine) }), true
}

func (c *commands) end() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.atOnce--; c.atOnce == 0 {
		c.last = nil
	}
}

// command sends a client's event to the guild's bot and acknowledges it with the answer. It does not
// wait; a command goes its way even if its client leaves.
func (g *Gateway) command(l *listener, e *socketio.Event) {
	if ok, enough := g.allow(l); !ok {
		g.measured.answered.WithLabelValues(outcomeRefused).Inc()
		_ = e.Ack(refused(flooding))
		if enough {
			g.options.Log.Info("a socket sends commands too fast and is disconnected", "guild", l.guildID, "user", l.userID)
			g.end(e.Socket, flooding)
		}
		return
	}
	args, reason := g.arguments(e)
	if reason != "" {
		g.measured.answered.WithLabelValues(outcomeRefused).Inc()
		_ = e.Ack(refused(reason))
		return
	}
	before, pass, ok := l.commands.begin(g.options.CommandsAtOnce)
	if !ok {
		g.measured.answered.WithLabelValues(outcomeRefused).Inc()
		_ = e.Ack(refused("too many commands at once"))
		return
	}
	g.running.Add(1)
	go func() {
		defer g.running.Done()
		defer l.commands.end()
		defer pass()
		ctx, cancel := context.WithTimeout(g.ctx, g.options.CommandTimeout)
		defer cancel()
		if before != nil {
			select {
			case <-before:
			case <-ctx.Done(): // it has never left this edge
				err := status.FromContextError(ctx.Err()).Err()
				g.measured.count(err)
				_ = e.Ack(refused(g.reason(l, err)))
				return
			}
		}
		defer time.AfterFunc(headStart, pass).Stop()
		ctx, end := g.trace(ctx, l, e)
		_ = e.Ack(g.dispatch(ctx, l, e, args))
		end()
	}()
}

// arguments are the event's, a JSON value each; with a reason why they are not sent on, none.
func (g *Gateway) arguments(e *socketio.Event) (args [][]byte, reason string) {
	if len(e.Name) > maxCommandName {
		return nil, fmt.Sprintf("event name longer than %d bytes", maxCommandName)
	}
	if len(e.Args) > g.options.ArgumentCount {
		return nil, fmt.Sprintf("more than %d arguments", g.options.ArgumentCount)
	}
	size := 0
	for _, arg := range e.Args {
		args = append(args, arg.JSON())
		size += len(args[len(args)-1])
	}
	if size > g.options.ArgumentBytes {
		return nil, fmt.Sprintf("arguments of more than %d bytes", g.options.ArgumentBytes)
	}
	return args, ""
}

// dispatch is the acknowledgement of a command: the bot's answer, after the events that it published
// before answering, or why there is none.
func (g *Gateway) dispatch(ctx context.Context, l *listener, e *socketio.Event, args [][]byte) any {
	began := time.Now()
	answer, err := g.bots.Dispatch(ctx, &edgev1.DispatchRequest{
		CommandId: rand.Text(),
		GuildId:   l.guildID,
		UserId:    l.userID,
		SocketId:  e.Socket.ID(),
		Name:      e.Name,
		Args:      args,
	})
	g.measured.dispatched(began, err)
	if err != nil {
		return refused(g.reason(l, err))
	}
	trace.SpanFromContext(ctx).AddEvent("answered") // what follows is waiting for the effect
	effect, cancel := context.WithTimeout(g.ctx, effectPatience)
	defer cancel()
	g.guilds.Applied(effect, l.guildID, answer.GetSequence())
	return json.RawMessage(answer.GetResult())
}

// reason is what a client is told of an error.
func (g *Gateway) reason(l *listener, err error) string {
	switch status.Code(err) {
	case codes.Unavailable:
		return "no bot answers for this guild"
	case codes.DeadlineExceeded:
		return "no answer in time"
	case codes.InvalidArgument:
		return status.Convert(err).Message()
	case codes.ResourceExhausted:
		return "too many commands"
	case codes.Canceled:
		return "going away"
	}
	g.options.Log.Warn("a command failed", "guild", l.guildID, "error", err)
	return "temporarily unavailable"
}

// refusal is the acknowledgement of a command that no bot has answered.
type refusal struct {
	Status string `json:"status"`
	Reason string `json:"reason"`
}

func refused(reason string) refusal { return refusal{Status: "error", Reason: reason} }
