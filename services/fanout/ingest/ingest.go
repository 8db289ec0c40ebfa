// Package ingest takes events from bots and stores them: the publishing half of BotService, whose
// promises stand in proto/pona/bot/v1.
//
// Events of one guild are stored one after the other, each after the one before is known to be
// stored, so that a failure never leaves a later one behind a hole. Different guilds are stored at
// the same time. The package logs nothing; trouble goes to the bot as a status.
package ingest

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/pona-realtime/pona/pkg/player"
	"github.com/pona-realtime/pona/pkg/tracing"
	botv1 "github.com/pona-realtime/pona/proto/pona/bot/v1"
	playerv1 "github.com/pona-realtime/pona/proto/pona/player/v1"
	"github.com/pona-realtime/pona/services/fanout/stream"
)

const (
	maxEvents = 256 // of one request
	lanes     = 64  // guilds that are stored at the same time
)

// Server stores events in the order of each guild.
type Server struct {
	log     func() *stream.Stream // nil until the stream is open
	timeout time.Duration
	lanes   [lanes]lane
	readers sync.WaitGroup // of PublishStream calls

	measured *measured
	tracer   *tracing.Tracer // nil for none
	stopping chan struct{}
	stop     sync.Once
}

// NewServer makes a server that waits at most timeout for one event to be stored. The function
// gives the stream, nil as long as it is not open. Metrics and tracer may be nil.
func NewServer(log func() *stream.Stream, timeout time.Duration, metrics prometheus.Registerer, tracer *tracing.Tracer) *Server {
	s := &Server{log: log, timeout: timeout, tracer: tracer, stopping: make(chan struct{}), measured: newMeasured(metrics)}
	for i := range s.lanes {
		s.lanes[i].room = make(chan struct{}, 1+laneQueue)
	}
	return s
}

// Drain ends all PublishStream calls with UNAVAILABLE, after the answers to what has been submitted.
func (s *Server) Drain() { s.stop.Do(func() { close(s.stopping) }) }

// Close waits for what is under way, after the gRPC server's stop: no call may be.
func (s *Server) Close() {
	s.readers.Wait()
	for i := range s.lanes {
		s.lanes[i].drain()
	}
}

// submission is one request on its way.
type submission struct {
	results []*botv1.PublishResult // complete when done is closed and err is nil
	err     error                  // the first
	done    chan struct{}

	mu      sync.Mutex
	waiting int
}

// submit checks all events and puts them into their lanes; it waits while those are full. A
// failure calls fail, which must end ctx.
func (s *Server) submit(ctx context.Context, events []*playerv1.Event, fail context.CancelCauseFunc) (*submission, error) {
	log := s.log()
	if log == nil {
		return nil, status.Error(codes.Unavailable, "the event stream is not open: this fanout has not been connected to NATS yet")
	}
	if len(events) == 0 || len(events) > maxEvents {
		return nil, status.Errorf(codes.InvalidArgument, "events: %d, must be 1 to %d", len(events), maxEvents)
	}
	encoded := make([][]byte, len(events))
	for i, ev := range events {
		if err := player.Validate(ev); err != nil {
			s.measured.count("refused")
			return nil, status.Errorf(codes.InvalidArgument, "events[%d].%v", i, err)
		}
		var err error
		if encoded[i], err = log.Encode(ev); err != nil {
			s.measured.count("refused")
			return nil, status.Errorf(codes.InvalidArgument, "events[%d]: %v", i, err)
		}
	}
	sub := &submission{results: make([]*botv1.PublishResult, len(events)), done: make(chan struct{}), waiting: len(events)}
	for i, ev := range events {
		sub.results[i] = &botv1.PublishResult{}
		j := job{ctx: ctx, log: log, event: ev, encoded: encoded[i], result: sub.results[i], done: func(err error) {
			if err != nil {
				fail(err)
			}
			sub.settle(1, err)
		}}
		if !s.put(&s.lanes[player.Partition(ev.GetGuildId(), lanes)], j) {
			sub.settle(len(events)-i, context.Cause(ctx))
			return sub, nil
		}
	}
	return sub, nil
}

// settle counts events that have come to their end.
func (s *submission) settle(count int, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.err == nil {
		s.err = err
	}
	if s.waiting -= count; s.waiting == 0 {
		close(s.done)
	}
}

func isPosition(ev *playerv1.Event) bool {
	_, is := ev.GetKind().(*playerv1.Event_PositionUpdated)
	return is
}

// storeError says to the bot what became of its event.
func storeError(err error) error {
	if err == nil {
		return nil
	}
	if errors.Is(err, stream.ErrUnavailable) {
		return status.Error(codes.Unavailable, err.Error())
	}
	return status.Error(codes.Internal, fmt.Sprint(err))
}
