package owner

import (
	"context"
	"errors"
	"time"

	edgev1 "github.com/pona-realtime/pona/proto/pona/edge/v1"
	"github.com/pona-realtime/pona/services/fanout/stream"
)

// ErrNotStarted says that the stream is not open yet, ErrNotKept that a history is not whole or too long.
var (
	ErrNotStarted = errors.New("the event stream is not open")
	ErrNotKept    = errors.New("not all of the events are kept, or they are too many")
)

// Recall reads a part of a guild's history, whoever owns the guild; see EdgeService.Replay. It reads
// somewhat more than it was asked for when others will ask for that, so that they need not.
func (o *Owner) Recall(ctx context.Context, request *edgev1.ReplayRequest) (*edgev1.ReplayResponse, error) {
	events := o.events.Load()
	if events == nil {
		return nil, ErrNotStarted
	}
	if err := reading.Acquire(ctx, 1); err != nil {
		return nil, err
	}
	defer reading.Release(1)
	asked := stream.Range{
		GuildID: request.GetGuildId(), After: request.GetAfterSequence(), Next: request.GetNextSequence(),
		UpTo: request.GetUpToSequence(), MaxBytes: o.options.MaxReplayBytes,
	}
	if most := request.GetMaxBytes(); most > 0 && most < uint64(asked.MaxBytes) {
		asked.MaxBytes = int(most)
	}
	wider := asked
	within := time.Duration(request.GetWithinMs()) * time.Millisecond
	if old := o.ages.storedBefore(time.Now().Add(-within)); within > 0 && old > 0 && old < asked.After {
		wider.After, wider.Next = old, 0
	}
	found, whole, err := events.History(ctx, wider)
	if err == nil && !whole && wider != asked {
		wider = asked
		found, whole, err = events.History(ctx, asked)
	}
	if err == nil && !whole {
		err = ErrNotKept
	}
	if err != nil {
		return nil, err
	}
	for _, d := range found {
		d.Traceparent = "" // clients that come back have no part in the traces of what they missed
	}
	return &edgev1.ReplayResponse{Deliveries: chain(found, wider.After), AfterSequence: wider.After}, nil
}
