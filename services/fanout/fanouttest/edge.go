package fanouttest

import (
	"context"
	"errors"
	"io"
	"math"
	"sync"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	edgev1 "github.com/pona-realtime/pona/proto/pona/edge/v1"
)

// Dial connects to a fanout until the end of the test.
func Dial(t testing.TB, address string) *grpc.ClientConn {
	t.Helper()
	conn, err := grpc.NewClient("passthrough:///"+address, grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(math.MaxInt32), grpc.MaxCallSendMsgSize(math.MaxInt32)))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return conn
}

// Edge is one Deliver stream and all that came on it.
type Edge struct {
	t      testing.TB
	stream grpc.BidiStreamingClient[edgev1.DeliverRequest, edgev1.DeliverResponse]
	cancel context.CancelFunc

	mu        sync.Mutex
	changed   chan struct{} // closed and replaced whenever something came
	came      []*edgev1.DeliverResponse
	listen    func(*edgev1.DeliverResponse) // nil for none
	forgetful bool
	ended     error
	end       chan struct{}
}

// NewEdge opens a stream and says hello.
func NewEdge(t testing.TB, address, id string) *Edge {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	stream, err := edgev1.NewEdgeServiceClient(Dial(t, address)).Deliver(ctx)
	if err != nil {
		t.Fatal(err)
	}
	e := &Edge{t: t, stream: stream, cancel: cancel, changed: make(chan struct{}), end: make(chan struct{})}
	e.Send(&edgev1.DeliverRequest{Message: &edgev1.DeliverRequest_Hello{Hello: &edgev1.Hello{EdgeId: id}}})
	go e.read()
	t.Cleanup(e.Close)
	return e
}

func (e *Edge) read() {
	defer close(e.end)
	for {
		response, err := e.stream.Recv()
		e.mu.Lock()
		if err != nil {
			e.ended = err
		} else if !e.forgetful {
			e.came = append(e.came, response)
		}
		listen := e.listen
		close(e.changed)
		e.changed = make(chan struct{})
		e.mu.Unlock()
		if err == nil && listen != nil {
			listen(response)
		}
		if err != nil {
			return
		}
	}
}

// Forget drops what came so far, and keeps nothing of what comes.
func (e *Edge) Forget() {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.came, e.forgetful = nil, true
}

// OnMessage calls listen with all that came and comes, one after the other. It is called before
// anything that a test waits for has been sent.
func (e *Edge) OnMessage(listen func(*edgev1.DeliverResponse)) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, response := range e.came {
		listen(response)
	}
	e.listen = listen
}

// Close ends the stream.
func (e *Edge) Close() {
	e.cancel()
	<-e.end
}

// Send says something to the fanout. When the stream has ended, AwaitEnd tells why.
func (e *Edge) Send(request *edgev1.DeliverRequest) {
	e.t.Helper()
	if err := e.stream.Send(request); err != nil && !errors.Is(err, io.EOF) {
		e.t.Error(err)
	}
}

// Subscribe asks for a guild, with a snapshot first.
func (e *Edge) Subscribe(guildID uint64) {
	e.t.Helper()
	e.Send(&edgev1.DeliverRequest{Message: &edgev1.DeliverRequest_Subscribe{Subscribe: &edgev1.Subscribe{GuildId: guildID}}})
}

// Resume asks for the events of a guild after a sequence.
func (e *Edge) Resume(guildID, after uint64) {
	e.t.Helper()
	e.Send(&edgev1.DeliverRequest{Message: &edgev1.DeliverRequest_Subscribe{Subscribe: &edgev1.Subscribe{GuildId: guildID, AfterSequence: &after}}})
}

// Await waits until done says true of all that came so far, and fails the test when the stream ends
// before or it takes too long.
func (e *Edge) Await(what string, done func(came []*edgev1.DeliverResponse) bool) {
	e.t.Helper()
	deadline := time.NewTimer(Patience)
	defer deadline.Stop()
	for {
		e.mu.Lock()
		came, changed, ended := e.came, e.changed, e.ended
		e.mu.Unlock()
		if done(came) {
			return
		}
		if ended != nil {
			e.t.Fatalf("waiting for %s: the stream ended with %v", what, ended)
		}
		select {
		case <-changed:
		case <-deadline.C:
			e.t.Fatalf("waiting for %s: %d messages came, the last %v", what, len(came), last(came))
		}
	}
}

// AwaitEnd waits for the end of the stream and gives its error.
func (e *Edge) AwaitEnd() error {
	e.t.Helper()
	select {
	case <-e.end:
		return e.ended
	case <-time.After(Patience):
		e.t.Fatal("the stream does not end")
		return nil
	}
}

// AwaitOwned waits until so many partitions are owned on this stream.
func (e *Edge) AwaitOwned(count int) {
	e.t.Helper()
	e.Await("partitions", func(came []*edgev1.DeliverResponse) bool { return len(Owned(came)) == count })
}

// AwaitEvents waits for so many stored events of a guild and gives them.
func (e *Edge) AwaitEvents(guildID uint64, count int) (events []*edgev1.Delivery) {
	e.t.Helper()
	e.Await("events", func(came []*edgev1.DeliverResponse) bool {
		events = Events(came, guildID)
		return len(events) >= count
	})
	return events
}

// AwaitSnapshot waits for a snapshot of a guild and gives the last one.
func (e *Edge) AwaitSnapshot(guildID uint64) (snapshot *edgev1.Snapshot) {
	e.t.Helper()
	e.Await("a snapshot", func(came []*edgev1.DeliverResponse) bool {
		for _, response := range came {
			if s := response.GetSnapshot(); s.GetGuildId() == guildID {
				snapshot = s
			}
		}
		return snapshot != nil
	})
	return snapshot
}

// AwaitHandled subscribes to a guild and waits until its owner has handled the event with a sequence: a
// result tells the bot that an event is stored, and says nothing of the owner.
func (e *Edge) AwaitHandled(guildID, sequence uint64) {
	e.t.Helper()
	e.Subscribe(guildID)
	e.Await("the owner to handle an event", func(came []*edgev1.DeliverResponse) bool {
		for _, response := range came {
			if s := response.GetSnapshot(); s.GetGuildId() == guildID && s.GetSequence() >= sequence {
				return true
			}
		}
		events := Events(came, guildID)
		return len(events) > 0 && events[len(events)-1].GetSequence() >= sequence
	})
}

// Came gives what came so far.
func (e *Edge) Came() []*edgev1.DeliverResponse {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.came
}

// Events picks the stored events of a guild.
func Events(came []*edgev1.DeliverResponse, guildID uint64) (events []*edgev1.Delivery) {
	for _, response := range came {
		for _, d := range response.GetBatch().GetDeliveries() {
			if d.GetGuildId() == guildID && d.GetSequence() > 0 {
				events = append(events, d)
			}
		}
	}
	return events
}

// Owned says which partitions are owned after all that came, and their epochs.
func Owned(came []*edgev1.DeliverResponse) map[uint32]uint64 {
	owned := make(map[uint32]uint64)
	for _, response := range came {
		for _, p := range response.GetOwned().GetPartitions() {
			owned[p.GetNumber()] = p.GetEpoch()
		}
		for _, p := range response.GetReleased().GetPartitions() {
			delete(owned, p)
		}
	}
	return owned
}

func last(came []*edgev1.DeliverResponse) *edgev1.DeliverResponse {
	if len(came) == 0 {
		return nil
	}
	return came[len(came)-1]
}
