package e2e

import (
	"strings"
	"testing"

	playerv1 "github.com/pona-realtime/pona/proto/pona/player/v1"
)

// Bytes that a JSON decoder and encoder on the way would change: numbers beyond a double, trailing
// zeros, exponents, key order, doubled keys, white space, escapes and the lack of them.
const (
	liveTrack = `{"title":"Überall & <live> \u00e9 \/ 夜 🎈","z":1, "a" : 1.50,"duration":9223372036854776000,"isStream":true,"n":-0,"e":1E5,"e":2,"uniqueId":"a"}`
	nextTrack = `{"uniqueId":"b","duration":95500.250,"lyrics":{"lines":[{"line":"\ud83c\udf88"}]}}`
	state     = `{"pona":{"position":0,"length":9223372036854776000,"voiceChannel":"42","volume":80.0,"equalizer":[],"repeat":{"track":false,"queue":false,"dynamic":false},"isAutoplay":false,"paused":false,"playing":true},"current":` + liveTrack + `,"queue":[` + nextTrack + `]}`
	member    = `{"user":{"id":"18446744073709551615"},"roles":[ ]}`
	seat      = `{"oldVC":null,"newVC":{"id":"42","name":"Küche"},"isUserJoined":true,"isUserSwitched":false,"isUserLeaved":false,"isSameVC":true}`
)

// Every event of the contract, with each way to connect: the bytes are the bot's, the order too.
func TestEventsReachTheOfficialClientUntouched(t *testing.T) {
	for _, tt := range []struct {
		name       string
		transports []string
		first      string // transport
		upgraded   bool
	}{
		{"default options", nil, "polling", true},
		{"websocket only", []string{"websocket"}, "websocket", false},
		{"polling only", []string{"polling"}, "polling", false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := devstack(t)
			guild := newGuild()
			l := listen(t, s.url, guild, "user:77", tt.transports)
			if got := l.next(t, "its transport", func(s said) bool { return s.What == "transport" }); got.Name != tt.first {
				t.Errorf("starts with %s, want %s", got.Name, tt.first)
			}
			if got := l.payload(t, "handshake"); got != `{"pona":null,"isMemberInVC":null}` {
				t.Errorf("handshake of an unknown guild: %s", got)
			}
			if tt.upgraded {
				// From the start: the line may have come before the handshake's.
				(&listener{process: l.process}).next(t, "the upgrade", func(s said) bool { return s.What == "transport" && s.Name == "websocket" })
			}

			b := newBot(t, s.grpc, guild)
			b.publish(t,
				&playerv1.Event{Kind: &playerv1.Event_PlayerCreated{PlayerCreated: &playerv1.PlayerCreated{State: []byte(state)}}},
				&playerv1.Event{Kind: &playerv1.Event_TrackStarted{TrackStarted: &playerv1.TrackStarted{Track: []byte(liveTrack), Queue: []byte("[" + liveTrack + "," + nextTrack + "]")}}},
				&playerv1.Event{Kind: &playerv1.Event_TrackUpdated{TrackUpdated: &playerv1.TrackUpdated{Track: []byte(liveTrack)}}},
				&playerv1.Event{Kind: &playerv1.Event_QueueUpdated{QueueUpdated: &playerv1.QueueUpdated{Queue: []byte("[ " + liveTrack + " ]")}}},
				&playerv1.Event{Kind: &playerv1.Event_RepeatUpdated{RepeatUpdated: &playerv1.RepeatUpdated{Queue: true}}},
				&playerv1.Event{Kind: &playerv1.Event_ChannelUpdated{ChannelUpdated: &playerv1.ChannelUpdated{Channel: []byte(`{"name":"Küche","id":"42"}`)}}},
				&playerv1.Event{Kind: &playerv1.Event_TrackMoved{TrackMoved: &playerv1.TrackMoved{Member: []byte(member)}}},
				&playerv1.Event{Kind: &playerv1.Event_TrackRemoved{TrackRemoved: &playerv1.TrackRemoved{Member: []byte(member)}}},
				&playerv1.Event{Kind: &playerv1.Event_MemberStateUpdated{MemberStateUpdated: &playerv1.MemberStateUpdated{UserId: 78, State: []byte(`{"newVC":"not yours"}`)}}},
				&playerv1.Event{Kind: &playerv1.Event_MemberStateUpdated{MemberStateUpdated: &playerv1.MemberStateUpdated{UserId: 77, State: []byte(seat)}}},
			)
			for _, want := range []struct{ event, payload string }{
				{"player_created", state},
				{"track_started", liveTrack},
				{"queue_updated", "[" + liveTrack + "," + nextTrack + "]"},
				{"track_updated", liveTrack},
				{"queue_updated", "[ " + liveTrack + " ]"},
				{"repeat_updated", `{"track":false,"queue":true,"dynamic":false}`},
				{"channel_updated", `{"name":"Küche","id":"42"}`},
				{"track_moved", member},
				{"track_removed", member},
				{"member_state_updated", seat},
			} {
				if got := l.payload(t, want.event); got != want.payload {
					t.Errorf("%s\n got %s\nwant %s", want.event, got, want.payload)
				}
			}

			numbers := []struct {
				event, text string
				kind        *playerv1.Event
			}{
				{"pause_updated", "1", &playerv1.Event{Kind: &playerv1.Event_PauseUpdated{PauseUpdated: &playerv1.PauseUpdated{Paused: true}}}},
				{"pause_updated", "1", &playerv1.Event{Kind: &playerv1.Event_PauseUpdated{PauseUpdated: &playerv1.PauseUpdated{Paused: true}}}},
				{"volume_updated", "64.50", &playerv1.Event{Kind: &playerv1.Event_VolumeUpdated{VolumeUpdated: &playerv1.VolumeUpdated{Volume: "64.50"}}}},
				{"autoplay_updated", "0", &playerv1.Event{Kind: &playerv1.Event_AutoplayUpdated{AutoplayUpdated: &playerv1.AutoplayUpdated{}}}},
				{"track_pos_updated", "1234.500", &playerv1.Event{Kind: &playerv1.Event_PositionUpdated{PositionUpdated: &playerv1.PositionUpdated{Position: "1234.500"}}}},
			}
			for _, n := range numbers {
				b.publish(t, n.kind)
				if got := l.number(t, n.event); got != n.text {
					t.Errorf("%s %s, want %s as written", n.event, got, n.text)
				}
			}

			b.publish(t,
				&playerv1.Event{Kind: &playerv1.Event_QueueEnded{QueueEnded: &playerv1.QueueEnded{}}},
				&playerv1.Event{Kind: &playerv1.Event_Generic{Generic: &playerv1.GenericEvent{Name: "from_a_newer_bot", Args: []byte(`[{"b":1.0,"a":[]}]`)}}},
			)
			l.next(t, "track_pos_updated", func(s said) bool { return s.What == "event" && s.Name == "track_pos_updated" })
			l.event(t, "queue_ended")
			if got := l.event(t, "from_a_newer_bot"); got != `{"b":1,"a":[]}` { // as JavaScript prints it
				t.Errorf("generic event has %s", got)
			}
		})
	}
}

// A client that comes later gets the state from the handshake, with the current track first.
func TestHandshakeShowsTheState(t *testing.T) {
	s := devstack(t)
	guild := newGuild()
	witness := listen(t, s.url, guild, "user:1", nil)
	witness.payload(t, "handshake")
	b := newBot(t, s.grpc, guild)
	b.publish(t,
		&playerv1.Event{Kind: &playerv1.Event_PlayerCreated{PlayerCreated: &playerv1.PlayerCreated{State: []byte(state)}}},
		&playerv1.Event{Kind: &playerv1.Event_MemberStateUpdated{MemberStateUpdated: &playerv1.MemberStateUpdated{UserId: 77, State: []byte(seat)}}},
		&playerv1.Event{Kind: &playerv1.Event_PauseUpdated{PauseUpdated: &playerv1.PauseUpdated{Paused: true}}},
	)
	witness.payload(t, "player_created")
	witness.event(t, "pause_updated") // the guild's state is known now

	got := listen(t, s.url, guild, "user:77", nil).payload(t, "handshake")
	for _, want := range []string{
		`"current":` + liveTrack, `"queue":[` + liveTrack + `,` + nextTrack + `]`, `"volume":80.0`, `"length":9223372036854776000`,
		`"voiceChannel":"42"`, `"paused":true,"playing":false`, `"isMemberInVC":{"id":"42","name":"Küche"}`,
	} {
		if !strings.Contains(got, want) {
			t.Errorf("handshake %s\nhas no %s", got, want)
		}
	}
}
