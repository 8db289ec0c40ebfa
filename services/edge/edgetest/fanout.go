// Package edgetest has the peers of an edge for its tests, each on loopback and over the real protocol: a
// [Fanout], whose streams a test plays by hand or has play themselves, a Socket.IO [Client] that hides
// nothing, and a [Discord].
package edgetest

import (
	"context"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/keepalive"
	"google.golang.org/grpc/status"

	"github.com/pona-realtime/pona/pkg/freeport"
	edgev1 "github.com/pona-realtime/pona/proto/pona/edge/v1"
)

// Patience bounds every wait of a test.
const Patience = 10 * time.Second

// Fanout is a fanout that edges can dial: a gRPC server whose streams a test plays by hand
// ([Fanout.Accept]) or that plays itself ([Fanout.Play]).
type Fanout struct {
	edgev1.UnimplementedEdgeServiceServer
	listener net.Listener
	server   *grpc.Server
	streams  chan *Stream
	replays  atomic.Int64

	mu       sync.Mutex
	player   *Player // nil where the test plays
	dispatch func(context.Context, *edgev1.DispatchRequest) (*edgev1.DispatchResponse, error)
	members  func(context.Context, *edgev1.FindMemberRequest) (*edgev1.FindMemberResponse, error)
}

// StartFanout starts a fanout, which ends with the test. Without an address it takes a free port.
func StartFanout(t testing.TB, address ...string) *Fanout {
	t.Helper()
	if len(address) == 0 { // one that another can be started at when this has stopped
		var err error
		if address, err = freeport.TakeN(1); err != nil {
			t.Fatal(err)
		}
	}
	listener, err := net.Listen("tcp", address[0])
	if err != nil {
		t.Fatal(err)
	}
	f := &Fanout{listener: listener, streams: make(chan *Stream, 16)}
	f.server = grpc.NewServer(grpc.KeepaliveEnforcementPolicy(keepalive.EnforcementPolicy{
		MinTime: 5 * time.Second, PermitWithoutStream: true,
	}))
	edgev1.RegisterEdgeServiceServer(f.server, f)
	served := make(chan error, 1)
	go func() { served <- f.server.Serve(listener) }()
	t.Cleanup(func() {
		f.Stop()
		<-served
	})
	return f
}

// Addr is where the fanout listens.
func (f *Fanout) Addr() string { return f.listener.Addr().String() }

// Stop ends the fanout as a kill would.
func (f *Fanout) Stop() { f.server.Stop() }

// Answer has commands answered by that function; until then, no bot serves any guild.
func (f *Fanout) Answer(with func(context.Context, *edgev1.DispatchRequest) (*edgev1.DispatchResponse, error)) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.dispatch = with
}

// Members has questions about members answered by that function; until then, no bot answers.
func (f *Fanout) Members(with func(context.Context, *edgev1.FindMemberRequest) (*edgev1.FindMemberResponse, error)) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.members = with
}

// FindMember implements the service.
func (f *Fanout) FindMember(ctx context.Context, request *edgev1.FindMemberRequest) (*edgev1.FindMemberResponse, error) {
	f.mu.Lock()
	answer := f.members
	f.mu.Unlock()
	if answer == nil {
		return nil, status.Error(codes.Unavailable, "no bot of this guild answers for its members")
	}
	return answer(ctx, request)
}

// Dispatch implements the service.
func (f *Fanout) Dispatch(ctx context.Context, request *edgev1.DispatchRequest) (*edgev1.DispatchResponse, error) {
	f.mu.Lock()
	answer := f.dispatch
	f.mu.Unlock()
	if answer == nil {
		return nil, status.Error(codes.Unavailable, "no bot serves this guild")
	}
	return answer(ctx, request)
}

// Replays counts the histories that have been asked for.
func (f *Fanout) Replays() int { return int(f.replays.Load()) }

// Replay implements the service, for a fanout that plays itself.
func (f *Fanout) Replay(_ context.Context, request *edgev1.ReplayRequest) (*edgev1.ReplayResponse, error) {
	f.replays.Add(1)
	f.mu.Lock()
	player := f.player
	f.mu.Unlock()
	if player == nil {
		return nil, status.Error(codes.OutOfRange, "nothing is kept")
	}
	return player.replay(request)
}

// Deliver implements the service.
func (f *Fanout) Deliver(call grpc.BidiStreamingServer[edgev1.DeliverRequest, edgev1.DeliverResponse]) error {
	s := &Stream{
		call: call, requests: make(chan *edgev1.DeliverRequest, 1024),
		cut: make(chan error, 1), Ended: make(chan struct{}),
	}
	defer close(s.Ended)
	select {
	case f.streams <- s:
	case <-call.Context().Done():
		return call.Context().Err()
	}
	received := make(chan struct{})
	go func() {
		defer close(received)
		defer close(s.requests)
		for {
			request, err := call.Recv()
			if err != nil {
				return
			}
			select {
			case s.requests <- request:
			case <-call.Context().Done():
				return
			}
		}
	}()
	select {
	case err := <-s.cut:
		return err
	case <-received:
		return nil
	}
}

// Accept waits for an edge's next stream.
func (f *Fanout) Accept(t testing.TB) *Stream {
	t.Helper()
	select {
	case s := <-f.streams:
		return s
	case <-time.After(Patience):
		t.Fatal("no edge has opened a stream")
		return nil
	}
}
