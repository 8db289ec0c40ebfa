package edgetest

import (
	"sync"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	"github.com/pona-realtime/pona/pkg/player"
	edgev1 "github.com/pona-realtime/pona/proto/pona/edge/v1"
	playerv1 "github.com/pona-realtime/pona/proto/pona/player/v1"
)

// Player plays a whole fanout: it keeps history and state of every guild, owns the only partition, and
// serves every edge that comes.
type Player struct {
	mu       sync.Mutex
	sequence uint64
	guilds   map[uint64]*history
	streams  map[*Stream]map[uint64]bool // who wants what
}

type history struct {
	state      *playerv1.GuildState
	sequence   uint64
	deliveries []*edgev1.Delivery
}

// Play has the fanout play itself until the test ends.
func (f *Fanout) Play(t testing.TB) *Player {
	p := &Player{guilds: make(map[uint64]*history), streams: make(map[*Stream]map[uint64]bool)}
	f.mu.Lock()
	f.player = p
	f.mu.Unlock()
	var serving sync.WaitGroup
	stop := make(chan struct{})
	serving.Go(func() {
		for {
			select {
			case s := <-f.streams:
				serving.Go(func() { p.serve(s) })
			case <-stop:
				return
			}
		}
	})
	t.Cleanup(func() {
		close(stop)
		f.Stop()
		serving.Wait()
	})
	return p
}

func (p *Player) serve(s *Stream) {
	p.mu.Lock()
	p.streams[s] = make(map[uint64]bool)
	s.Owned(1, 1, 0)
	p.mu.Unlock()
	for request := range s.requests {
		p.mu.Lock()
		switch {
		case request.GetSubscribe() != nil:
			p.subscribe(s, request.GetSubscribe())
		case request.GetUnsubscribe() != nil:
			delete(p.streams[s], request.GetUnsubscribe().GetGuildId())
		}
		p.mu.Unlock()
	}
	p.mu.Lock()
	delete(p.streams, s)
	p.mu.Unlock()
}

func (p *Player) subscribe(s *Stream, subscribe *edgev1.Subscribe) {
	guildID := subscribe.GetGuildId()
	h := p.history(guildID)
	if subscribe.AfterSequence == nil {
		s.Snapshot(guildID, h.sequence, proto.CloneOf(h.state))
	} else {
		for _, delivery := range h.deliveries {
			if delivery.GetSequence() > subscribe.GetAfterSequence() {
				s.Batch(delivery)
			}
		}
	}
	p.streams[s][guildID] = true
}

func (p *Player) history(guildID uint64) *history {
	h := p.guilds[guildID]
	if h == nil {
		h = &history{state: &playerv1.GuildState{}}
		p.guilds[guildID] = h
	}
	return h
}

// Publish stores an event, gives it to who wants it, and returns its sequence. Positions are not
// stored and have none.
func (p *Player) Publish(guildID uint64, event *playerv1.Event) uint64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	h := p.history(guildID)
	if err := player.Fold(h.state, event); err != nil {
		panic(err)
	}
	sequence := uint64(0)
	if event.GetPositionUpdated() == nil {
		p.sequence++
		sequence, h.sequence = p.sequence, p.sequence
	}
	delivery := Delivery(guildID, sequence, event)
	if sequence != 0 {
		delivery.StoredAtNs = time.Now().UnixNano()
		h.deliveries = append(h.deliveries, delivery)
	}
	for s, wants := range p.streams {
		if wants[guildID] {
			s.Batch(delivery)
		}
	}
	return sequence
}

// Forget drops what has happened in a guild until now; its state stays.
func (p *Player) Forget(guildID uint64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.history(guildID).deliveries = nil
}

func (p *Player) replay(request *edgev1.ReplayRequest) (*edgev1.ReplayResponse, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	h := p.history(request.GetGuildId())
	response := &edgev1.ReplayResponse{AfterSequence: request.GetAfterSequence()}
	for _, delivery := range h.deliveries {
		if s := delivery.GetSequence(); s > request.GetAfterSequence() && s <= request.GetUpToSequence() {
			response.Deliveries = append(response.Deliveries, delivery)
		}
	}
	if n := len(response.Deliveries); n == 0 || response.Deliveries[n-1].GetSequence() != request.GetUpToSequence() {
		return nil, status.Error(codes.OutOfRange, "not all are kept")
	}
	return response, nil
}

// Cut breaks every stream.
func (p *Player) Cut(err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for s := range p.streams {
		s.Cut(err)
	}
}

// Revoke tells every edge that users may no longer listen.
func (p *Player) Revoke(revoked *edgev1.Revoked) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for s := range p.streams {
		s.send(&edgev1.DeliverResponse{Message: &edgev1.DeliverResponse_Revoked{Revoked: revoked}})
	}
}

// Wanted tells how many streams want the guild.
func (p *Player) Wanted(guildID uint64) (n int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, wants := range p.streams {
		if wants[guildID] {
			n++
		}
	}
	return n
}
