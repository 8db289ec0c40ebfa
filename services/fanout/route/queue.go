package route

import (
	"context"
	"sync"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	edgev1 "github.com/pona-realtime/pona/proto/pona/edge/v1"
)

// itemOverhead is what a waiting item costs beside its bytes.
const itemOverhead = 128

// item is one thing that waits for an edge: a message of its own, or a part of a Batch.
type item struct {
	message  *edgev1.DeliverResponse // nil for deliveries
	delivery *edgev1.Delivery
	size     int
}

// Edge is one edge's stream, seen from the partitions whose events it takes: a bounded queue. Its
// methods may be called by any goroutine and never wait; their order is the order on the stream.
//
// A position that waits is replaced by a newer one, unless an event of the guild came in between.
// When more than the bound waits, the queue is given up and the stream ends with RESOURCE_EXHAUSTED.
type Edge struct {
	id    string
	limit int           // bytes that may wait or be under way
	wake  chan struct{} // holds one token when there may be something to send
	room  chan struct{} // holds one token when there may be less than half of limit
	over  chan struct{} // closed when the queue was given up

	measured *measured

	mu        sync.Mutex
	items     []item
	positions map[uint64]int // by guild: where in items a position waits
	bytes     int
	ended     error // why nothing more is taken, nil while the stream lives
}

func newEdge(id string, limit int) *Edge {
	return &Edge{
		id: id, limit: limit, positions: make(map[uint64]int),
		wake: make(chan struct{}, 1), room: make(chan struct{}, 1), over: make(chan struct{}), measured: new(Server).measure(nil),
	}
}

// ID names the edge in logs.
func (e *Edge) ID() string { return e.id }

// Owned says which partitions are delivered from now on.
func (e *Edge) Owned(owned *edgev1.Owned) {
	e.push(&edgev1.DeliverResponse{Message: &edgev1.DeliverResponse_Owned{Owned: owned}})
}

// Released says that nothing of these partitions follows.
func (e *Edge) Released(partitions ...uint32) {
	e.push(&edgev1.DeliverResponse{Message: &edgev1.DeliverResponse_Released{
		Released: &edgev1.Released{Partitions: partitions},
	}})
}

// Snapshot gives a guild's state. The message must not change any more.
func (e *Edge) Snapshot(snapshot *edgev1.Snapshot) {
	e.push(&edgev1.DeliverResponse{Message: &edgev1.DeliverResponse_Snapshot{Snapshot: snapshot}})
}

// Reset says that events of the guild are missing between what the edge has and what follows.
func (e *Edge) Reset(guildID uint64) {
	e.push(&edgev1.DeliverResponse{Message: &edgev1.DeliverResponse_Reset_{Reset_: &edgev1.Reset{GuildId: guildID}}})
}

// Event gives a stored event. The message must not change any more; several edges may share it.
func (e *Edge) Event(event *edgev1.Delivery) {
	e.mu.Lock()
	defer e.mu.Unlock()
	delete(e.positions, event.GetGuildId())
	e.add(item{delivery: event, size: len(event.GetEvent()) + itemOverhead})
}

// Position gives a position, which takes the place of one that still waits.
func (e *Edge) Position(position *edgev1.Delivery) {
	e.mu.Lock()
	defer e.mu.Unlock()
	next := item{delivery: position, size: len(position.GetEvent()) + itemOverhead}
	if at, waits := e.positions[position.GetGuildId()]; waits {
		e.bytes += next.size - e.items[at].size
		e.items[at] = next
		e.measured.conflated.Inc()
		return
	}
	if e.ended == nil {
		e.positions[position.GetGuildId()] = len(e.items)
	}
	e.add(next)
}

func (e *Edge) push(message *edgev1.DeliverResponse) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.add(item{message: message, size: proto.Size(message) + itemOverhead})
}

// add takes the next item, or gives the queue up. The caller holds mu.
func (e *Edge) add(next item) {
	if e.ended != nil {
		return
	}
	e.items = append(e.items, next)
	if e.bytes += next.size; e.bytes > e.limit && len(e.items) > 1 {
		e.giveUp(status.Errorf(codes.ResourceExhausted, "%d bytes wait for edge %s, which are more than %d", e.bytes, e.id, e.limit))
	}
	e.signal()
}

// end takes nothing more. What waits is still sent, and then the stream ends with the error.
func (e *Edge) end(err error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.ended == nil {
		e.ended = err
	}
	e.signal()
}

// giveUp ends the stream without what waits. The caller holds mu.
func (e *Edge) giveUp(err error) {
	e.measured.cut.Inc()
	e.ended = err
	e.items = nil
	clear(e.positions)
	close(e.over)
}

func (e *Edge) signal() {
	select {
	case e.wake <- struct{}{}:
	default:
	}
}

// take gives what has gathered, in order, and takes spare to gather more in. With nothing there it
// says why nothing will come, or nil.
func (e *Edge) take(spare []item) (gathered []item, ended error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if len(e.items) == 0 {
		return nil, e.ended
	}
	gathered, e.items = e.items, spare[:0]
	clear(e.positions)
	return gathered, nil
}

// sent says that this many bytes no longer wait.
func (e *Edge) sent(size int) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.bytes -= size; e.bytes <= e.limit/2 {
		select {
		case e.room <- struct{}{}:
		default:
		}
	}
}

// awaitRoom waits until less than half of the bound waits, or the stream ends: what an edge asks for
// comes as fast as it takes it, and is no reason to end its stream.
func (e *Edge) awaitRoom(ctx context.Context) {
	for e.crowded() {
		select {
		case <-e.room:
		case <-e.over:
		case <-ctx.Done():
			return
		}
	}
}

func (e *Edge) crowded() bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.ended == nil && e.bytes > e.limit/2
}

// reason says why the stream ends.
func (e *Edge) reason() error {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.ended
}
