package commands

import (
	"context"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	edgev1 "github.com/pona-realtime/pona/proto/pona/edge/v1"
)

// maxText bounds a command's id and name, in bytes.
const maxText = 128

// Dispatch brings one command to a bot and waits for its answer; see EdgeService.
func (s *Server) Dispatch(ctx context.Context, r *edgev1.DispatchRequest) (*edgev1.DispatchResponse, error) {
	began := time.Now()
	response, err := s.dispatch(ctx, r)
	s.measured.dispatched(began, err)
	return response, err
}

func (s *Server) dispatch(ctx context.Context, r *edgev1.DispatchRequest) (*edgev1.DispatchResponse, error) {
	switch {
	case len(r.GetCommandId()) == 0 || len(r.GetCommandId()) > maxText:
		return nil, status.Errorf(codes.InvalidArgument, "command_id: %d bytes, must be 1 to %d", len(r.GetCommandId()), maxText)
	case len(r.GetName()) == 0 || len(r.GetName()) > maxText:
		return nil, status.Errorf(codes.InvalidArgument, "name: %d bytes, must be 1 to %d", len(r.GetName()), maxText)
	case r.GetGuildId() == 0:
		return nil, status.Error(codes.InvalidArgument, "guild_id: must not be 0")
	}
	ctx, cancel := context.WithTimeout(ctx, s.options.Timeout)
	defer cancel()
	if response, found, err := s.dispatchHere(ctx, r); found {
		return response, err
	}
	var response edgev1.DispatchResponse
	if err := s.elsewhere(ctx, runsCommands, runSubject, r.GetGuildId(), r, &response); err != nil {
		return nil, err
	}
	return &response, nil
}

// dispatchHere asks a bot of this fanout, if one serves the guild.
func (s *Server) dispatchHere(ctx context.Context, r *edgev1.DispatchRequest) (response *edgev1.DispatchResponse, found bool, err error) {
	b := s.registry.find(r.GetGuildId(), runsCommands)
	if b == nil {
		return nil, false, nil
	}
	ctx, end := s.trace(ctx, r, b)
	response, err = b.ask(ctx, r, millisecondsLeft(ctx))
	end(err)
	return response, true, err
}

// millisecondsLeft until ctx ends, at least 1.
func millisecondsLeft(ctx context.Context) uint32 {
	deadline, _ := ctx.Deadline()
	return uint32(max(time.Until(deadline).Milliseconds(), 1)) //nolint:gosec // of a timeout
}

// errNoBot is the answer where nobody serves a guild.
var errNoBot = status.Error(codes.Unavailable, "no bot serves this guild")
