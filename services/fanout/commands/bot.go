package commands

import (
	"context"
	"sync"

	"go.opentelemetry.io/otel/trace"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/pona-realtime/pona/pkg/tracing"
	botv1 "github.com/pona-realtime/pona/proto/pona/bot/v1"
	edgev1 "github.com/pona-realtime/pona/proto/pona/edge/v1"
)

// outgoing bounds what waits to be sent to a bot; a further command is refused.
const outgoing = 1024

// bot is one ServeCommands call.
type bot struct {
	name string
	out  chan *botv1.ServeCommandsResponse
	gone chan struct{} // closed when the call ends

	queries queries // about members

	mu      sync.Mutex
	waiting map[string]command // by command id
}

// command is one that waits for its answer.
type command struct {
	guildID uint64
	answer  chan *edgev1.DispatchResponse // takes one without a reader
}

func newBot(name string) *bot {
	return &bot{
		name: name, gone: make(chan struct{}),
		out:     make(chan *botv1.ServeCommandsResponse, outgoing),
		waiting: make(map[string]command),
	}
}

// ask sends a command and waits for its answer, for as long as ctx lasts.
func (b *bot) ask(ctx context.Context, r *edgev1.DispatchRequest, timeoutMs uint32) (*edgev1.DispatchResponse, error) {
	id := r.GetCommandId()
	answer := make(chan *edgev1.DispatchResponse, 1)
	if !b.await(id, command{r.GetGuildId(), answer}) {
		return nil, status.Errorf(codes.AlreadyExists, "command_id: %q is under way already", id)
	}
	defer b.forget(id)
	return reply(ctx, b, &botv1.ServeCommandsResponse{Message: &botv1.ServeCommandsResponse_Command{Command: &botv1.Command{
		CommandId: id,
		GuildId:   r.GetGuildId(),
		UserId:    r.GetUserId(),
		SocketId:  r.GetSocketId(),
		Name:      r.GetName(),
		Args:      r.GetArgs(),
		TimeoutMs: timeoutMs,

		Traceparent: tracing.Traceparent(trace.SpanFromContext(ctx)),
	}}}, answer)
}

// reply sends a command or query to the bot and waits for what answer gets, for as long as ctx lasts.
func reply[T any](ctx context.Context, b *bot, request *botv1.ServeCommandsResponse, answer <-chan T) (none T, err error) {
	select {
	case b.out <- request:
	default:
		return none, status.Errorf(codes.Unavailable, "bot %q has %d commands before it", b.name, outgoing)
	}
	select {
	case response := <-answer:
		return response, nil
	case <-b.gone:
		return none, status.Errorf(codes.Unavailable, "bot %q left without an answer", b.name)
	case <-ctx.Done():
		return none, endOf(ctx)
	}
}

func (b *bot) await(id string, c command) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if _, taken := b.waiting[id]; taken {
		return false
	}
	b.waiting[id] = c
	return true
}

func (b *bot) forget(id string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	delete(b.waiting, id)
}

// waits says whether somebody still waits for the answer, and for which guild.
func (b *bot) waits(id string) (command, bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	c, is := b.waiting[id]
	return c, is
}

// endOf is the status of a command whose time is over.
func endOf(ctx context.Context) error {
	if ctx.Err() == context.Canceled { //nolint:errorlint // Err returns it bare
		return status.Error(codes.Canceled, "nobody waits for the command any more")
	}
	return status.Error(codes.DeadlineExceeded, "the bot did not answer in time")
}
