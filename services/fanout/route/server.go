// Package route brings events to edges: one queue and one gRPC stream for each.
//
// The stream's promises stand in proto/pona/edge/v1. A sender takes what has gathered while it was
// sending, so an idle system adds no delay and a busy one sends few, large messages. A slow edge
// holds up nobody: its queue is bounded, and what happens at the bound stands with Edge. Sizes are bytes.
package route

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"sync"

	"github.com/prometheus/client_golang/prometheus"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	edgev1 "github.com/pona-realtime/pona/proto/pona/edge/v1"
)

const (
	maxEdgeID = 128     // bytes of an edge's id
	maxGuilds = 500_000 // subscriptions of one edge; one more ends its stream
)

// ahead is how many subscriptions of an edge are prepared before the first of them is served: after a
// takeover an edge asks for thousands of guilds, whose states must be read.
const ahead = 16

// Partitions are what events come from (package owner). Calls for one edge come from one goroutine.
type Partitions interface {
	// Prepare reads what Subscribe to the guild will need. It may wait, and be called by any goroutine.
	Prepare(guildID uint64)
	// Attach tells the edge what is owned, now and whenever that changes, until Detach.
	Attach(e *Edge)
	Detach(e *Edge)
	// Subscribe gives the edge a guild's snapshot, or the events after a sequence, and then every
	// event of the guild. Where the guild is not owned, nothing happens.
	Subscribe(e *Edge, guildID uint64, after *uint64)
	Unsubscribe(e *Edge, guildID uint64)
}

// Server serves the Deliver half of EdgeService.
type Server struct {
	partitions Partitions
	queueBytes int
	log        *slog.Logger
	measured   *measured

	mu      sync.Mutex
	edges   map[*Edge]struct{}
	closed  bool
	streams sync.WaitGroup // the two goroutines of each stream
}

// NewServer makes a server that keeps at most queueBytes for an edge. Metrics may be nil.
func NewServer(partitions Partitions, queueBytes int, metrics prometheus.Registerer, log *slog.Logger) *Server {
	s := &Server{partitions: partitions, queueBytes: queueBytes, log: log, edges: make(map[*Edge]struct{})}
	s.measured = s.measure(metrics)
	return s
}

var errStopping = status.Error(codes.Unavailable, "this fanout stops")

// Close ends all streams with UNAVAILABLE after what waits for them, and takes no new ones. It
// returns at once; Wait waits.
func (s *Server) Close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
	for e := range s.edges {
		e.end(errStopping)
	}
}

// Wait returns when no goroutine of a stream runs any more, after Close and the gRPC server's stop.
func (s *Server) Wait() { s.streams.Wait() }

// Deliver serves one edge's stream; see EdgeService.
func (s *Server) Deliver(stream grpc.BidiStreamingServer[edgev1.DeliverRequest, edgev1.DeliverResponse]) error {
	request, err := stream.Recv()
	if err != nil {
		return err
	}
	id := request.GetHello().GetEdgeId()
	if request.GetHello() == nil {
		return status.Error(codes.InvalidArgument, "hello: must be the first message")
	}
	if len(id) == 0 || len(id) > maxEdgeID {
		return status.Errorf(codes.InvalidArgument, "hello.edge_id: %d bytes, must be 1 to %d", len(id), maxEdgeID)
	}
	e := newEdge(id, s.queueBytes)
	e.measured = s.measured
	if !s.enter(e) {
		return errStopping
	}
	s.log.Info("edge connected", "edge", id)
	err = s.serve(stream, e)
	s.leave(e)
	s.log.Info("edge gone", "edge", id, "reason", reasonOf(err))
	return err
}

// serve runs the two directions until one ends. The other then ends with the stream's context; the
// reader is the one that calls Partitions, so that calls for an edge never overlap.
func (s *Server) serve(stream grpc.BidiStreamingServer[edgev1.DeliverRequest, edgev1.DeliverResponse], e *Edge) error {
	read, sent := make(chan error, 1), make(chan error, 1)
	s.partitions.Attach(e)
	s.streams.Go(func() { read <- s.read(stream, e) })
	s.streams.Go(func() { sent <- send(stream, e) })
	select {
	case err := <-read:
		return err
	case err := <-sent:
		return err
	case <-e.over:
		return e.reason()
	}
}

// read takes what the edge says until it stops, and then undoes it.
func (s *Server) read(stream grpc.BidiStreamingServer[edgev1.DeliverRequest, edgev1.DeliverResponse], e *Edge) error {
	guilds := make(map[uint64]struct{})
	defer func() {
		for guildID := range guilds {
			s.partitions.Unsubscribe(e, guildID)
		}
		s.partitions.Detach(e)
	}()
	requests := make(chan request, ahead)
	s.streams.Go(func() { s.receive(stream, requests) })
	for r := range requests {
		if r.err != nil {
			return r.err
		}
		if r.ready != nil {
			<-r.ready
		}
		switch message := r.said.GetMessage().(type) {
		case *edgev1.DeliverRequest_Subscribe:
			guildID := message.Subscribe.GetGuildId()
			if guildID == 0 {
				return status.Error(codes.InvalidArgument, "subscribe.guild_id: must not be 0")
			}
			if len(guilds) >= maxGuilds {
				return status.Errorf(codes.ResourceExhausted, "subscribe: more than %d guilds", maxGuilds)
			}
			e.awaitRoom(stream.Context())
			guilds[guildID] = struct{}{}
			s.partitions.Subscribe(e, guildID, message.Subscribe.AfterSequence) //nolint:protogetter // unset and 0 differ
		case *edgev1.DeliverRequest_Unsubscribe:
			delete(guilds, message.Unsubscribe.GetGuildId())
			s.partitions.Unsubscribe(e, message.Unsubscribe.GetGuildId())
		case *edgev1.DeliverRequest_Hello:
			return status.Error(codes.InvalidArgument, "hello: only the first message may be one")
		default:
			return status.Error(codes.InvalidArgument, "message: missing, or not known to this version")
		}
	}
	return nil
}

// request is what an edge has said, or why it says nothing more.
type request struct {
	said  *edgev1.DeliverRequest
	ready chan struct{} // closed when it is prepared; nil where it need not be
	err   error
}

// receive takes what the edge says, and has subscriptions prepared meanwhile. It closes requests.
func (s *Server) receive(stream grpc.BidiStreamingServer[edgev1.DeliverRequest, edgev1.DeliverResponse], requests chan<- request) {
	defer close(requests)
	for {
		said, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			return
		}
		r := request{said: said, err: err}
		if guildID := said.GetSubscribe().GetGuildId(); guildID != 0 {
			r.ready = make(chan struct{})
			s.streams.Go(func() {
				defer close(r.ready)
				s.partitions.Prepare(guildID)
			})
		}
		select {
		case requests <- r:
		case <-stream.Context().Done():
			return
		}
		if err != nil {
			return
		}
	}
}

// Tell gives every edge a message that belongs to no partition, and says how many they are.
func (s *Server) Tell(message *edgev1.DeliverResponse) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	for e := range s.edges {
		e.push(message)
	}
	return len(s.edges)
}

func (s *Server) enter(e *Edge) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return false
	}
	s.edges[e] = struct{}{}
	return true
}

// leave forgets an edge and takes nothing more for it.
func (s *Server) leave(e *Edge) {
	s.mu.Lock()
	delete(s.edges, e)
	s.mu.Unlock()
	e.end(context.Canceled)
}

func reasonOf(err error) string {
	if err == nil {
		return "it closed the stream"
	}
	return status.Convert(err).Message()
}
