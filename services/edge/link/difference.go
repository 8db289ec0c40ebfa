package link

import (
	"errors"
	"io"

	edgev1 "github.com/pona-realtime/pona/proto/pona/edge/v1"
)

// errOverruled ends a stream whose fanout is the owner again of what another one has owned since: what
// came meanwhile was dropped, and only a new stream tells old deliveries from new ones.
var errOverruled = errors.New("owner again after another fanout was")

// differences are the requests that bring what the fanout knows to what is wanted.
//
// A subscription whose snapshot is still to come is never taken back before it has come: so a
// snapshot always answers the last subscription, and is followed by exactly the events after it.
func (s *stream) differences() ([]*edgev1.DeliverRequest, error) {
	var requests []*edgev1.DeliverRequest
	subscribed := make(map[*route]*said)
	s.links.mu.Lock()
	for guildID := range s.dirty {
		delete(s.dirty, guildID)
		wanted := s.links.routes[guildID]
		if wanted != nil && wanted.stream != s {
			wanted = nil
		}
		known := s.sent[guildID]
		switch {
		case known == nil && wanted == nil:
			continue
		case known != nil && known.route == nil && wanted != nil:
			s.links.mu.Unlock()
			return nil, errOverruled
		case known != nil && known.route == nil:
			continue
		case known != nil && known.awaiting:
			if wanted != nil {
				known.route = wanted // the snapshot will do for it as well
			}
			continue
		case known != nil && known.route == wanted && !known.again:
			continue
		case known != nil:
			requests = append(requests, unsubscribe(guildID))
			delete(s.sent, guildID)
		}
		if wanted != nil {
			// It awaits a snapshot until it is known better, below.
			known = &said{route: wanted, awaiting: true, resumed: known != nil && known.again}
			s.sent[guildID], subscribed[wanted] = known, known
		}
	}
	s.links.mu.Unlock()

	for r, said := range subscribed {
		request, awaiting := r.subscribe()
		requests = append(requests, request)
		s.links.mu.Lock()
		said.awaiting = awaiting // before it is sent, so before it can be answered
		s.links.mu.Unlock()
	}
	return requests, nil
}

// subscribe is the request for what comes after what the route knows; awaiting, when that is nothing
// and a snapshot will come first.
func (r *route) subscribe() (request *edgev1.DeliverRequest, awaiting bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	subscribe := &edgev1.Subscribe{GuildId: r.guildID}
	if r.known {
		after := r.sequence
		subscribe.AfterSequence = &after
	}
	return &edgev1.DeliverRequest{Message: &edgev1.DeliverRequest_Subscribe{Subscribe: subscribe}}, !r.known
}

func unsubscribe(guildID uint64) *edgev1.DeliverRequest {
	return &edgev1.DeliverRequest{Message: &edgev1.DeliverRequest_Unsubscribe{
		Unsubscribe: &edgev1.Unsubscribe{GuildId: guildID},
	}}
}

// ignoreEOF drops what Send says of a stream that has ended: Recv knows why.
func ignoreEOF(err error) error {
	if errors.Is(err, io.EOF) {
		return nil
	}
	return err
}
