package ingest

import (
	"context"
	"errors"
	"io"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	botv1 "github.com/pona-realtime/pona/proto/pona/bot/v1"
)

// underway bounds the requests of one PublishStream that wait for their answer.
const underway = 64

// Publish stores a run of events; see BotService.
func (s *Server) Publish(ctx context.Context, request *botv1.PublishRequest) (*botv1.PublishResponse, error) {
	ctx, fail := context.WithCancelCause(ctx)
	defer fail(nil)
	sub, err := s.submit(ctx, request.GetEvents(), fail)
	if err == nil {
		err = sub.await(ctx)
	}
	if err != nil {
		return nil, callError(err)
	}
	return &botv1.PublishResponse{Results: sub.results}, nil
}

// PublishStream stores runs of events as they come; see BotService. One goroutine takes them and brings them on
// their way, this one answers.
func (s *Server) PublishStream(call grpc.BidiStreamingServer[botv1.PublishStreamRequest, botv1.PublishStreamResponse]) error {
	ctx, fail := context.WithCancelCause(call.Context())
	defer fail(nil)
	incoming := &incoming{submissions: make(chan *submission, underway), gate: make(chan struct{}, 1)}
	s.readers.Go(func() { // ends with the call, when this method has returned
		defer close(incoming.submissions)
		incoming.err = s.receive(ctx, call, incoming, fail)
	})
	stopping := s.stopping
	var shut chan<- struct{} // the gate once this fanout stops
	for {
		select {
		case sub, more := <-incoming.submissions:
			if !more {
				return callError(incoming.err)
			}
			if err := answer(ctx, call, sub); err != nil {
				return callError(err)
			}
		case <-stopping:
			stopping, shut = nil, incoming.gate
		case shut <- struct{}{}: // nothing more is submitted; what has been is answered
			for len(incoming.submissions) > 0 {
				if err := answer(ctx, call, <-incoming.submissions); err != nil {
					return callError(err)
				}
			}
			return status.Error(codes.Unavailable, "this fanout stops")
		}
	}
}

// incoming is what one call has brought on its way.
type incoming struct {
	submissions chan *submission // in the order of the requests; closed at the end
	gate        chan struct{}    // has a token while a request is submitted, and for good when none may be any more
	err         error            // why it ended; read it after submissions is closed
}

// receive submits requests until the bot closes its side, a request is refused, or ctx ends.
func (s *Server) receive(ctx context.Context, call grpc.BidiStreamingServer[botv1.PublishStreamRequest, botv1.PublishStreamResponse],
	in *incoming, fail context.CancelCauseFunc) error {
	for {
		request, err := call.Recv()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		select {
		case in.gate <- struct{}{}:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
		sub, err := s.traced(ctx, request, fail)
		if err != nil {
			return err
		}
		select {
		case in.submissions <- sub:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
		<-in.gate
	}
}

// answer sends the results of a request when they are there.
func answer(ctx context.Context, call grpc.BidiStreamingServer[botv1.PublishStreamRequest, botv1.PublishStreamResponse], sub *submission) error {
	if err := sub.await(ctx); err != nil {
		return err
	}
	return call.Send(&botv1.PublishStreamResponse{Results: sub.results})
}

// await waits until all events have come to their end, or one has failed.
func (s *submission) await(ctx context.Context) error {
	select {
	case <-s.done:
	case <-ctx.Done():
		select {
		case <-s.done: // it was complete before another failed
		default:
			return context.Cause(ctx)
		}
	}
	return s.err
}

// callError makes a status of what ended a call.
func callError(err error) error {
	if err == nil {
		return nil
	}
	if _, is := status.FromError(err); is {
		return err
	}
	return status.FromContextError(err).Err()
}
