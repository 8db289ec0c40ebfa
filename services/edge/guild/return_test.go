package guild

import (
	"slices"
	"testing"

	"github.com/pona-realtime/pona/pkg/player"
	"github.com/pona-realtime/pona/pkg/socketio"
	playerv1 "github.com/pona-realtime/pona/proto/pona/player/v1"
)

func TestAListenerReturnsInTheMidstOfAHappening(t *testing.T) {
	c, _, u := newCache(t, Options{})
	hold(t, c, u, 7, 10)
	deliver(c, 7, 12, volume(1))
	deliver(c, 7, 15, &playerv1.Event{Kind: &playerv1.Event_TrackStarted{TrackStarted: &playerv1.TrackStarted{
		Track: []byte(`{}`), Queue: []byte(`[{}]`),
	}}})
	deliver(c, 7, 16, &playerv1.Event{Kind: &playerv1.Event_TrackMoved{TrackMoved: &playerv1.TrackMoved{Member: []byte(`{}`)}}})
	deliver(c, 7, 17, &playerv1.Event{Kind: &playerv1.Event_MemberStateUpdated{MemberStateUpdated: &playerv1.MemberStateUpdated{
		UserId: 2, State: []byte(`{"newVC":"5"}`),
	}}})
	r := newReader(t)
	for offset, want := range map[string][]string{
		"10":   {"volume_updated", "track_started", "queue_updated", "track_moved"},
		"12":   {"track_started", "queue_updated", "track_moved"},
		"15.1": {"queue_updated", "track_moved"},
		"15":   {"track_moved"},
		"17":   nil,
	} {
		want = append(want, "track_pos_updated") // the track has started at 0
		var got []string
		if !c.Return(t.Context(), 7, 10, offset, []string{player.MusicRoom, player.UserRoom(1)}, func(missed []*socketio.Packet) {
			for _, p := range missed {
				event, _ := r.read(p)
				got = append(got, event)
			}
		}) || !slices.Equal(got, want) {
			t.Errorf("after %s: %q, want %q", offset, got, want)
		}
	}
	for offset, since := range map[string]uint64{"": 10, "nonsense": 10, "9": 0, "12": 15} {
		if c.Return(t.Context(), 7, since, offset, nil, func([]*socketio.Packet) { t.Errorf("%q: entered", offset) }) {
			t.Errorf("%q: returned", offset)
		}
	}
}
