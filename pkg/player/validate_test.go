package player_test

import (
	"strings"
	"testing"

	"github.com/pona-realtime/pona/pkg/player"
	playerv1 "github.com/pona-realtime/pona/proto/pona/player/v1"
)

func TestEveryKindPasses(t *testing.T) {
	for _, ev := range kinds() {
		if err := player.Validate(ev); err != nil {
			t.Errorf("%T: %v", ev.Kind, err)
		}
	}
}

func TestRefusalNamesTheField(t *testing.T) {
	deep := strings.Repeat("[", 1_000_000)
	for _, test := range []struct {
		ev   *playerv1.Event
		want string
	}{
		{&playerv1.Event{GuildId: 1}, "event_id: 0 bytes, must be 1 to 128"},
		{&playerv1.Event{GuildId: 1, EventId: strings.Repeat("x", 129)}, "event_id: 129 bytes, must be 1 to 128"},
		{&playerv1.Event{GuildId: 1, EventId: "a b"}, "event_id: byte 1 is not visible ASCII"},
		{&playerv1.Event{GuildId: 1, EventId: "é"}, "event_id: byte 0 is not visible ASCII"},
		{&playerv1.Event{EventId: "e"}, "guild_id: must not be 0"},
		{event(nil), "kind: missing, or not known to this version"},
		{event(&playerv1.TrackStarted{Queue: []byte(`[]`)}), "track_started.track: missing, must be a JSON object"},
		{event(&playerv1.TrackStarted{Track: []byte(`null`), Queue: []byte(`[]`)}), "track_started.track: not a JSON object"},
		{event(&playerv1.TrackStarted{Track: []byte(`{}`), Queue: []byte(`{}`)}), "track_started.queue: not a JSON array"},
		{event(&playerv1.TrackStarted{Track: []byte(`{}`), Queue: []byte(`[1,]`)}), "track_started.queue: not valid JSON"},
		{event(&playerv1.QueueUpdated{Queue: []byte("[\"\xff\"]")}), "queue_updated.queue: not valid UTF-8"},
		{event(&playerv1.QueueUpdated{Queue: []byte(deep)}), "queue_updated.queue: nests deeper than 256"},
		{event(&playerv1.QueueUpdated{Queue: []byte(`[] []`)}), "queue_updated.queue: not valid JSON"},
		{event(&playerv1.TrackUpdated{Track: []byte(`"x"`)}), "track_updated.track: not a JSON object or null"},
		{event(&playerv1.PositionUpdated{}), "position_updated.position: missing, must be a JSON number"},
		{event(&playerv1.PositionUpdated{Position: "NaN"}), "position_updated.position: not a JSON number"},
		{event(&playerv1.PositionUpdated{Position: "1 2"}), "position_updated.position: not a JSON number"},
		{event(&playerv1.PositionUpdated{Position: " 1"}), "position_updated.position: not a JSON number"},
		{event(&playerv1.PositionUpdated{Position: "1,2"}), "position_updated.position: not a JSON number"},
		{event(&playerv1.PositionUpdated{Position: "01"}), "position_updated.position: not a JSON number"},
		{event(&playerv1.VolumeUpdated{Volume: strings.Repeat("1", 65)}), "volume_updated.volume: 65 bytes, must be at most 64"},
		{event(&playerv1.VolumeUpdated{Volume: `"5"`}), "volume_updated.volume: not a JSON number"},
		{event(&playerv1.ChannelUpdated{Channel: []byte(`5`)}), "channel_updated.channel: not a JSON string, an object with an id, or null"},
		{event(&playerv1.ChannelUpdated{Channel: []byte(`{"name":"x"}`)}), "channel_updated.channel: not a JSON string, an object with an id, or null"},
		{event(&playerv1.PlayerCreated{State: []byte(`[]`)}), "player_created.state: not a JSON object or null"},
		{event(&playerv1.PlayerCreated{State: []byte(`{"queue":{}}`)}), "player_created.state.queue: not a JSON array"},
		{event(&playerv1.PlayerDestroyed{State: []byte(`{"pona":1}`)}), "player_destroyed.state.pona: not a JSON object or null"},
		{event(&playerv1.TrackMoved{}), "track_moved.member: missing, must be a JSON value"},
		{event(&playerv1.TrackRemoved{Member: []byte(`x`)}), "track_removed.member: not valid JSON"},
		{event(&playerv1.MemberStateUpdated{State: []byte(`{}`)}), "member_state_updated.user_id: must not be 0"},
		{event(&playerv1.MemberStateUpdated{UserId: 1, State: []byte(`null`)}), "member_state_updated.state: not a JSON object"},
		{event(&playerv1.GenericEvent{}), "generic.name: 0 bytes, must be 1 to 128"},
		{event(&playerv1.GenericEvent{Name: "disconnecting"}), `generic.name: "disconnecting" is reserved by Socket.IO`},
		{event(&playerv1.GenericEvent{Name: "a\xff"}), "generic.name: not valid UTF-8"},
		{event(&playerv1.GenericEvent{Name: "x", Room: "\xff"}), "generic.room: not valid UTF-8"},
		{event(&playerv1.GenericEvent{Name: "x", Room: strings.Repeat("r", 257)}), "generic.room: 257 bytes, must be at most 256"},
		{event(&playerv1.GenericEvent{Name: "x", Args: []byte(`{}`)}), "generic.args: not a JSON array"},
	} {
		if err := player.Validate(test.ev); err == nil || err.Error() != test.want {
			t.Errorf("refused with %v, want %s", err, test.want)
		}
	}
}

func TestPartitionIsFNV1a(t *testing.T) {
	// Reference values of FNV-1a 32: "a" is 0xe40c292c; here of decimal ids, modulo count.
	for _, test := range []struct {
		guild uint64
		count uint32
		want  uint32
	}{{1, 1, 0}, {1, 0, 0}, {1, 1 << 31, 0x340ca71c}, {1, 64, 0x1c}} {
		if got := player.Partition(test.guild, test.count); got != test.want {
			t.Errorf("Partition(%d, %d) = %#x, want %#x", test.guild, test.count, got, test.want)
		}
	}
}

func BenchmarkValidateAndFoldQueue(b *testing.B) {
	ev := event(&playerv1.QueueUpdated{Queue: []byte(`[` + strings.Repeat(liveTrack+`,`, 99) + liveTrack + `]`)})
	b.SetBytes(int64(len(ev.GetQueueUpdated().GetQueue())))
	b.ReportAllocs()
	var state playerv1.GuildState
	for b.Loop() {
		if err := player.Validate(ev); err != nil {
			b.Fatal(err)
		}
		if err := player.Fold(&state, ev); err != nil {
			b.Fatal(err)
		}
	}
}
