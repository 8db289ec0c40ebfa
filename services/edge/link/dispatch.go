package link

import (
	"context"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/pona-realtime/pona/pkg/player"
	edgev1 "github.com/pona-realtime/pona/proto/pona/edge/v1"
)

// ErrNoFanout is the status of a request while no fanout is connected.
var ErrNoFanout = status.Error(codes.Unavailable, "no fanout connected")

// Dispatch brings a listener's command to the guild's bot through any connected fanout, the guild's
// owner if there is one, and waits for the answer, at most Options.Timeout. The error is
// a gRPC status, [ErrNoFanout] among them. It is never tried twice: the command may have reached the bot.
func (l *Links) Dispatch(ctx context.Context, command *edgev1.DispatchRequest) (*edgev1.DispatchResponse, error) {
	s := l.choose(command.GetGuildId())
	if s == nil {
		return nil, ErrNoFanout
	}
	ctx, cancel := context.WithTimeout(ctx, l.options.Timeout)
	defer cancel()
	return s.client.Dispatch(ctx, command)
}

// choose is the stream of the guild's owner, else the next of the connected ones, else nil.
func (l *Links) choose(guildID uint64) *stream {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.claims.count != 0 {
		if owner := l.claims.owner(player.Partition(guildID, l.claims.count)); owner != nil {
			return owner
		}
	}
	if len(l.live) == 0 {
		return nil
	}
	l.next++
	return l.live[l.next%len(l.live)]
}

// Replay reads stored events of a guild through any connected fanout, its owner if there is one. The
// error is a gRPC status, [ErrNoFanout] among them.
func (l *Links) Replay(ctx context.Context, request *edgev1.ReplayRequest) (*edgev1.ReplayResponse, error) {
	s := l.choose(request.GetGuildId())
	if s == nil {
		return nil, ErrNoFanout
	}
	return s.client.Replay(ctx, request)
}
