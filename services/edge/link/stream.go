package link

import (
	"context"
	"errors"
	"fmt"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/protobuf/proto"

	edgev1 "github.com/pona-realtime/pona/proto/pona/edge/v1"
	playerv1 "github.com/pona-realtime/pona/proto/pona/player/v1"
)

// stream is one Deliver stream. One goroutine receives and delivers, one sends.
//
// What is to be sent does not queue up: changed names guilds for which what was said last may differ
// from what is wanted now, and the sender says the difference when it comes to it. A stream that
// cannot send is therefore bounded by the number of guilds.
type stream struct {
	links   *Links
	address string
	client  edgev1.EdgeServiceClient
	call    grpc.BidiStreamingClient[edgev1.DeliverRequest, edgev1.DeliverResponse]
	wake    chan struct{} // holds one token when there may be something to send

	// Guarded by Links.mu.
	live  bool
	dirty map[uint64]struct{} // guilds to compare
	sent  map[uint64]*said    // what was said last, by guild
}

// said is a subscription as the fanout knows it.
type said struct {
	route    *route // whose events come; nil once another fanout has overruled this one
	awaiting bool   // its snapshot has not come yet
	again    bool   // events are missing: it is to be said again
	resumed  bool   // said again, and nothing that follows has come yet; the receiver's own
}

func newStream(links *Links, address string, client edgev1.EdgeServiceClient,
	call grpc.BidiStreamingClient[edgev1.DeliverRequest, edgev1.DeliverResponse]) *stream {
	return &stream{
		links: links, address: address, client: client, call: call,
		wake:  make(chan struct{}, 1),
		dirty: make(map[uint64]struct{}),
		sent:  make(map[uint64]*said),
	}
}

// changed has the sender look at a guild. Called with Links.mu held.
func (s *stream) changed(guildID uint64) {
	s.dirty[guildID] = struct{}{}
	s.rouse()
}

// overrule drops what still comes of a guild that another fanout owns now. Released will follow, or the
// end of the stream: until then nothing of the guild on this stream is believed, for what was
// dropped would be missing. Called with Links.mu held.
func (s *stream) overrule(guildID uint64) {
	if said := s.sent[guildID]; said != nil {
		said.route = nil
	}
}

func (s *stream) rouse() {
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// receive delivers what comes until the stream ends.
func (s *stream) receive() error {
	for {
		response, err := s.call.Recv()
		if err != nil {
			return err
		}
		switch message := response.GetMessage().(type) {
		case *edgev1.DeliverResponse_Owned:
			first := !s.live // written by this goroutine alone
			if err := s.links.owned(s, message.Owned); err != nil {
				return err
			}
			if first {
				s.links.options.Log.Info("fanout connected", "fanout", s.address, "partitions", len(message.Owned.GetPartitions()))
			}
		case *edgev1.DeliverResponse_Released:
			s.links.released(s, message.Released.GetPartitions())
		case *edgev1.DeliverResponse_Snapshot:
			s.snapshot(message.Snapshot)
		case *edgev1.DeliverResponse_Revoked:
			select {
			case s.links.revoked <- message.Revoked:
			case <-s.call.Context().Done():
			}
		case *edgev1.DeliverResponse_Reset_:
			s.reset(message.Reset_.GetGuildId())
		case *edgev1.DeliverResponse_Batch:
			if err := s.batch(message.Batch); err != nil {
				return err
			}
		}
	}
}

// snapshot delivers a guild's state, unless it is older than what has been delivered.
func (s *stream) snapshot(snapshot *edgev1.Snapshot) {
	guildID := snapshot.GetGuildId()
	s.links.mu.Lock()
	if said := s.sent[guildID]; said != nil && said.awaiting {
		said.awaiting = false
		s.changed(guildID) // it may have become unwanted meanwhile
	}
	s.links.mu.Unlock()
	r, _ := s.route(guildID)
	if r == nil {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.known && snapshot.GetSequence() <= r.sequence {
		return
	}
	r.known, r.sequence = true, snapshot.GetSequence()
	s.links.guilds.Snapshot(snapshot)
}

// reset takes the snapshot that follows for true, whatever its sequence.
func (s *stream) reset(guildID uint64) {
	s.links.mu.Lock()
	if said := s.sent[guildID]; said != nil {
		said.awaiting = true
	}
	s.links.mu.Unlock()
	if r, _ := s.route(guildID); r != nil {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.known, r.sequence = false, 0
	}
}

// route is the guild's, if it is wanted and this stream brings its events, as was said.
func (s *stream) route(guildID uint64) (*route, *said) {
	s.links.mu.Lock()
	defer s.links.mu.Unlock()
	r, said := s.links.routes[guildID], s.sent[guildID]
	if r == nil || said == nil || said.route != r {
		return nil, nil
	}
	return r, said
}

// batch delivers events in order. Those of guilds that another stream brings, that are not known yet
// (what is on its way of an earlier subscription) or that have been delivered are dropped.
func (s *stream) batch(batch *edgev1.Batch) error {
	came := time.Now()
	s.links.measured.batches.Observe(float64(len(batch.GetDeliveries())))
	for _, delivery := range batch.GetDeliveries() {
		r, said := s.route(delivery.GetGuildId())
		if r == nil {
			continue
		}
		err := s.deliver(r, delivery, batch.GetSentAtNs(), came)
		switch {
		case err == nil:
			said.resumed = said.resumed && delivery.GetSequence() == 0
		case !errors.Is(err, errGap):
			return err
		case !said.resumed && delivery.GetSequence() != 0:
			s.resume(r, said)
		}
	}
	return nil
}

// resume subscribes again after what has come of a guild: events of it are missing on the stream. What
// still comes of the earlier subscription has the same gap before it, and is dropped.
func (s *stream) resume(r *route, said *said) {
	s.links.mu.Lock()
	defer s.links.mu.Unlock()
	if said.route != r || said.again {
		return
	}
	s.links.options.Log.Warn("events of a guild are missing, subscribing again", "fanout", s.address, "guild", r.guildID)
	said.again = true
	s.changed(r.guildID)
}

// deliver gives the guild what comes next of it, and drops what has come before. With errGap nothing is
// delivered, because something is missing before it.
func (s *stream) deliver(r *route, delivery *edgev1.Delivery, sentAtNs int64, came time.Time) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	sequence := delivery.GetSequence()
	if !r.known || sequence != 0 && sequence <= r.sequence {
		return nil
	}
	if delivery.GetPreviousSequence() > r.sequence {
		return errGap
	}
	event := new(playerv1.Event)
	if err := proto.Unmarshal(delivery.GetEvent(), event); err != nil {
		return fmt.Errorf("guild %d, sequence %d: %w", r.guildID, sequence, err)
	}
	if event.GetGuildId() != r.guildID {
		return fmt.Errorf("guild %d, sequence %d: %w", r.guildID, sequence, errForeign)
	}
	if sequence != 0 {
		r.sequence = sequence
	}
	if delivery.GetTraceparent() != "" {
		defer s.trace(delivery, event, came)()
	}
	s.links.guilds.Deliver(delivery, event, s.links.measured.written(delivery, event.GetPublishedAtNs(), sentAtNs, came))
	return nil
}

var (
	errForeign = errors.New("the event is another guild's")
	errGap     = errors.New("events before it are missing")
)

// send says hello, and then what changes, until ctx or the stream ends.
func (s *stream) send(ctx context.Context) error {
	if err := s.call.Send(&edgev1.DeliverRequest{Message: &edgev1.DeliverRequest_Hello{
		Hello: &edgev1.Hello{EdgeId: s.links.options.EdgeID},
	}}); err != nil {
		return ignoreEOF(err)
	}
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-s.wake:
		}
		requests, err := s.differences()
		if err != nil {
			return err
		}
		for _, request := range requests {
			if err := s.call.Send(request); err != nil {
				return ignoreEOF(err)
			}
		}
	}
}
