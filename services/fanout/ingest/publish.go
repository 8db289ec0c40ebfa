package ingest

import (
	"context"
	"errors"
	"io"

	"golang.org/x/sync/errgroup"
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
	if err != nil {
		return nil, err
	}
	<-sub.done // each job is bounded by the timeout and ends with ctx
	if sub.err != nil {
		return nil, callError(sub.err)
	}
	return &botv1.PublishResponse{Results: sub.results}, nil
}

// PublishStream stores runs of events as they come; see BotService.
func (s *Server) PublishStream(call grpc.BidiStreamingServer[botv1.PublishStreamRequest, botv1.PublishStreamResponse]) error {
	ctx, fail := context.WithCancelCause(call.Context())
	defer fail(nil)
	submissions := make(chan *submission, underway)
	var group errgroup.Group
	group.Go(func() error {
		err := answer(call, submissions)
		if err != nil {
			fail(err)
			for sub := range submissions {
				<-sub.done
			}
		}
		return err
	})
	err := s.receive(ctx, call, submissions, fail)
	close(submissions)
	if answerErr := group.Wait(); answerErr != nil { // the earlier request's error
		return callError(answerErr)
	}
	return callError(err)
}

// receive submits requests until the bot closes its side, a request is refused, or ctx ends.
func (s *Server) receive(ctx context.Context, call grpc.BidiStreamingServer[botv1.PublishStreamRequest, botv1.PublishStreamResponse],
	submissions chan<- *submission, fail context.CancelCauseFunc) error {
	requests, received := make(chan *botv1.PublishStreamRequest), make(chan error, 1)
	s.readers.Go(func() { // ends with the call, when this method's caller has returned
		received <- func() error {
			for {
				request, err := call.Recv()
				if errors.Is(err, io.EOF) {
					return nil
				}
				if err != nil {
					return err
				}
				select {
				case requests <- request:
				case <-ctx.Done():
					return nil
				}
			}
		}()
	})
	for {
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-s.stopping:
			return status.Error(codes.Unavailable, "this fanout stops")
		case err := <-received:
			return err
		case request := <-requests:
			sub, err := s.traced(ctx, request, fail)
			if err != nil {
				return err
			}
			select {
			case submissions <- sub:
			case <-ctx.Done():
				<-sub.done
				return context.Cause(ctx)
			}
		}
	}
}

// answer sends the results in the order of the requests, and returns the first error.
func answer(call grpc.BidiStreamingServer[botv1.PublishStreamRequest, botv1.PublishStreamResponse], submissions <-chan *submission) error {
	for sub := range submissions {
		<-sub.done
		if sub.err != nil {
			return sub.err
		}
		if err := call.Send(&botv1.PublishStreamResponse{Results: sub.results}); err != nil {
			return err
		}
	}
	return nil
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
