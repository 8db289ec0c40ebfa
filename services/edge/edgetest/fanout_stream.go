package edgetest

import (
	"sync"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/protobuf/proto"

	edgev1 "github.com/pona-realtime/pona/proto/pona/edge/v1"
	playerv1 "github.com/pona-realtime/pona/proto/pona/player/v1"
)

// Stream is one edge's Deliver stream.
type Stream struct {
	Ended chan struct{} // closed when the stream has ended

	call     grpc.BidiStreamingServer[edgev1.DeliverRequest, edgev1.DeliverResponse]
	requests chan *edgev1.DeliverRequest
	cut      chan error

	sending sync.Mutex
}

// Next waits for the edge's next request; nil when the stream has ended.
func (s *Stream) Next(t testing.TB) *edgev1.DeliverRequest {
	t.Helper()
	select {
	case request := <-s.requests:
		return request
	case <-time.After(Patience):
		t.Fatal("the edge asks for nothing")
		return nil
	}
}

// Hello waits for the greeting and returns the edge's id.
func (s *Stream) Hello(t testing.TB) string {
	t.Helper()
	request := s.Next(t)
	if request.GetHello() == nil {
		t.Fatalf("%v instead of Hello", request)
	}
	return request.GetHello().GetEdgeId()
}

// Subscribed waits for a Subscribe.
func (s *Stream) Subscribed(t testing.TB) *edgev1.Subscribe {
	t.Helper()
	request := s.Next(t)
	if request.GetSubscribe() == nil {
		t.Fatalf("%v instead of Subscribe", request)
	}
	return request.GetSubscribe()
}

// Unsubscribed waits for an Unsubscribe and returns its guild.
func (s *Stream) Unsubscribed(t testing.TB) uint64 {
	t.Helper()
	request := s.Next(t)
	if request.GetUnsubscribe() == nil {
		t.Fatalf("%v instead of Unsubscribe", request)
	}
	return request.GetUnsubscribe().GetGuildId()
}

// Cut ends the stream with that status, nil for OK.
func (s *Stream) Cut(err error) { s.cut <- err }

func (s *Stream) send(response *edgev1.DeliverResponse) {
	s.sending.Lock()
	defer s.sending.Unlock()
	_ = s.call.Send(response) // an edge that has gone is no concern of a test's script
}

// Owned claims partitions of count with an epoch.
func (s *Stream) Owned(epoch uint64, count uint32, partitions ...uint32) {
	owned := &edgev1.Owned{PartitionCount: count}
	for _, number := range partitions {
		owned.Partitions = append(owned.Partitions, &edgev1.Partition{Number: number, Epoch: epoch})
	}
	s.send(&edgev1.DeliverResponse{Message: &edgev1.DeliverResponse_Owned{Owned: owned}})
}

// Released gives partitions up.
func (s *Stream) Released(partitions ...uint32) {
	s.send(&edgev1.DeliverResponse{Message: &edgev1.DeliverResponse_Released{
		Released: &edgev1.Released{Partitions: partitions},
	}})
}

// Snapshot gives a guild's state.
func (s *Stream) Snapshot(guildID, sequence uint64, state *playerv1.GuildState) {
	s.send(&edgev1.DeliverResponse{Message: &edgev1.DeliverResponse_Snapshot{
		Snapshot: &edgev1.Snapshot{GuildId: guildID, Sequence: sequence, State: state},
	}})
}

// Reset says that history is gone.
func (s *Stream) Reset(guildID uint64) {
	s.send(&edgev1.DeliverResponse{Message: &edgev1.DeliverResponse_Reset_{
		Reset_: &edgev1.Reset{GuildId: guildID},
	}})
}

// Batch gives deliveries; see [Delivery].
func (s *Stream) Batch(deliveries ...*edgev1.Delivery) {
	s.send(&edgev1.DeliverResponse{Message: &edgev1.DeliverResponse_Batch{
		Batch: &edgev1.Batch{Deliveries: deliveries, SentAtNs: time.Now().UnixNano()},
	}})
}

// Delivery is an event as it stands in the stream. Its guild and, where missing, id are filled in.
func Delivery(guildID, sequence uint64, event *playerv1.Event) *edgev1.Delivery {
	event = proto.CloneOf(event)
	event.GuildId = guildID
	if event.EventId == "" {
		event.EventId = "test"
	}
	encoded, err := proto.Marshal(event)
	if err != nil {
		panic(err)
	}
	return &edgev1.Delivery{GuildId: guildID, Sequence: sequence, Event: encoded}
}

// Volume is an event that sets the volume to a number's text.
func Volume(number string) *playerv1.Event {
	return &playerv1.Event{Kind: &playerv1.Event_VolumeUpdated{VolumeUpdated: &playerv1.VolumeUpdated{Volume: number}}}
}

// Position is an event that sets the position to a number's text.
func Position(number string) *playerv1.Event {
	return &playerv1.Event{Kind: &playerv1.Event_PositionUpdated{PositionUpdated: &playerv1.PositionUpdated{Position: number}}}
}

// Channel is an event that puts the bot into a voice channel, without which no player is shown.
func Channel(id string) *playerv1.Event {
	return &playerv1.Event{Kind: &playerv1.Event_ChannelUpdated{ChannelUpdated: &playerv1.ChannelUpdated{Channel: []byte(`"` + id + `"`)}}}
}

// Generic is an event that this build knows nothing of; args is a JSON array.
func Generic(room, name, args string) *playerv1.Event {
	return &playerv1.Event{Kind: &playerv1.Event_Generic{Generic: &playerv1.GenericEvent{Room: room, Name: name, Args: []byte(args)}}}
}

// Playing is the state of a guild whose bot plays in a voice channel at that volume.
func Playing(volume string) *playerv1.GuildState {
	return &playerv1.GuildState{Exists: true, VoiceChannel: []byte(`"5"`), Volume: volume}
}
