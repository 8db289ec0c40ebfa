package player_test

import (
	"encoding/json"
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/pona-realtime/pona/pkg/player"
	playerv1 "github.com/pona-realtime/pona/proto/pona/player/v1"
)

// created is what the state of createdState shows, in the handshake's order and with its own queue.
const created = `{"pona":{"pona":{"position":12.75,"length":9223372036854776000,"voiceChannel":"42","volume":85.0,"equalizer":[ 0.1,0.20],` +
	`"repeat":{"dynamic":true,"track":false,"queue":false},"isAutoplay":true,"paused":true,"playing":false},` +
	`"current":` + liveTrack + `,"queue":[` + liveTrack + `, ` + fastTrack + `]},"isMemberInVC":null}`

const nothing = `{"pona":null,"isMemberInVC":null}`

// shown is the handshake of a player in channel 1 of which nothing else is known, but these.
func shown(position, length, paused, playing, current, queue string) string {
	return `{"pona":{"pona":{"position":` + position + `,"length":` + length + `,"voiceChannel":"1","volume":100,"equalizer":[],` +
		`"repeat":{"track":false,"queue":false,"dynamic":false},"isAutoplay":false,"paused":` + paused + `,"playing":` + playing + `},` +
		`"current":` + current + `,"queue":` + queue + `},"isMemberInVC":null}`
}

func TestHandshakeShowsWhatEventsFoldedInto(t *testing.T) {
	joined := event(&playerv1.ChannelUpdated{Channel: []byte(`"1"`)})
	started := event(&playerv1.TrackStarted{Track: []byte(liveTrack), Queue: []byte(`[` + liveTrack + ` , ` + fastTrack + `,` + bareTrack + "]\n")})
	const live = "9223372036854776000"
	for _, test := range []struct {
		name   string
		events []*playerv1.Event
		want   string
	}{
		{"nothing known", nil, nothing},
		{"player without voice channel", []*playerv1.Event{started}, nothing},
		{"channel only", []*playerv1.Event{joined}, shown("0", "0", "false", "false", "null", "[]")},
		{"channel as object", []*playerv1.Event{event(&playerv1.ChannelUpdated{Channel: []byte(`{"id":"9","id":"1"}`)})},
			shown("0", "0", "false", "false", "null", "[]")},
		{"left the channel", []*playerv1.Event{joined, started, event(&playerv1.ChannelUpdated{Channel: []byte(`null`)})}, nothing},
		{"track started", []*playerv1.Event{joined, event(&playerv1.PositionUpdated{Position: "3"}), event(&playerv1.PauseUpdated{Paused: true}), started},
			shown("0", live, "false", "true", liveTrack, `[`+liveTrack+`,`+fastTrack+`,`+bareTrack+`]`)},
		{"position as written", []*playerv1.Event{joined, started, event(&playerv1.PositionUpdated{Position: "1234.50"})},
			shown("1234.50", live, "false", "true", liveTrack, `[`+liveTrack+`,`+fastTrack+`,`+bareTrack+`]`)},
		{"paused", []*playerv1.Event{joined, started, event(&playerv1.PauseUpdated{Paused: true})},
			shown("0", live, "true", "false", liveTrack, `[`+liveTrack+`,`+fastTrack+`,`+bareTrack+`]`)},
		{"track updated", []*playerv1.Event{joined, started, event(&playerv1.TrackUpdated{Track: []byte(fastTrack)})},
			shown("0", "215000.25", "false", "true", fastTrack, `[`+fastTrack+`,`+fastTrack+`,`+bareTrack+`]`)},
		{"track updated to null keeps the position", []*playerv1.Event{joined, started,
			event(&playerv1.PositionUpdated{Position: "7"}), event(&playerv1.TrackUpdated{Track: []byte(`null`)})},
			shown("7", "0", "false", "false", "null", `[`+fastTrack+`,`+bareTrack+`]`)},
		{"queue updated", []*playerv1.Event{joined, started, event(&playerv1.QueueUpdated{Queue: []byte(`[` + bareTrack + `]`)})},
			shown("0", "0", "false", "true", bareTrack, `[`+bareTrack+`]`)},
		{"queue updated, null first", []*playerv1.Event{joined, started, event(&playerv1.QueueUpdated{Queue: []byte(`[null,` + fastTrack + `]`)})},
			shown("0", "0", "false", "true", "null", `[`+fastTrack+`]`)},
		{"queue updated, only null", []*playerv1.Event{joined, started, event(&playerv1.QueueUpdated{Queue: []byte(`[null]`)})},
			shown("0", "0", "false", "true", "null", `[]`)},
		{"queue updated, empty", []*playerv1.Event{joined, started, event(&playerv1.QueueUpdated{Queue: []byte(`[ ]`)})},
			shown("0", live, "false", "true", liveTrack, `[`+liveTrack+`]`)},
		{"queue ended", []*playerv1.Event{joined, started, event(&playerv1.QueueEnded{})},
			shown("0", "0", "false", "true", "null", "[]")},
		{"player created", []*playerv1.Event{joined, started, event(&playerv1.PlayerCreated{State: []byte(createdState)})}, created},
		{"player created with an empty queue", []*playerv1.Event{event(&playerv1.PlayerCreated{
			State: []byte(`{"queue":[ ],"current":` + bareTrack + `,"pona":{"voiceChannel":"1"}}`)})},
			shown("0", "0", "false", "false", bareTrack, `[`+bareTrack+` ]`)},
		{"player created without player fields", []*playerv1.Event{joined, event(&playerv1.PlayerCreated{
			State: []byte(`{"pona":null,"current":null,"queue":[]}`)}), joined}, shown("0", "0", "false", "false", "null", "[]")},
		{"player created null", []*playerv1.Event{joined, started, event(&playerv1.PlayerCreated{State: []byte(`null`)})}, nothing},
		{"player destroyed", []*playerv1.Event{joined, started, event(&playerv1.PlayerDestroyed{State: []byte(createdState)})}, nothing},
		{"nothing of a destroyed player comes back", []*playerv1.Event{joined, started, event(&playerv1.PlayerDestroyed{State: []byte(`null`)}), joined},
			shown("0", "0", "false", "false", "null", "[]")},
	} {
		t.Run(test.name, func(t *testing.T) {
			state := &playerv1.GuildState{}
			for _, ev := range test.events {
				if err := player.Validate(ev); err != nil {
					t.Fatalf("the test's own event: %v", err)
				}
				if err := player.Fold(state, ev); err != nil {
					t.Fatal(err)
				}
			}
			got := player.Handshake(state, 7)
			if string(got) != test.want {
				t.Errorf("handshake\n got %s\nwant %s", got, test.want)
			}
			if !json.Valid(got) {
				t.Errorf("not valid JSON: %s", got)
			}
		})
	}
}

func TestSettingsOfAPlayerAreShownAsWritten(t *testing.T) {
	state := &playerv1.GuildState{}
	for _, ev := range []*playerv1.Event{
		event(&playerv1.ChannelUpdated{Channel: []byte(`"1"`)}),
		event(&playerv1.VolumeUpdated{Volume: "85.50"}),
		event(&playerv1.AutoplayUpdated{Autoplay: true}),
		event(&playerv1.RepeatUpdated{Queue: true}),
	} {
		if err := player.Fold(state, ev); err != nil {
			t.Fatal(err)
		}
	}
	const want = `{"pona":{"pona":{"position":0,"length":0,"voiceChannel":"1","volume":85.50,"equalizer":[],` +
		`"repeat":{"track":false,"queue":true,"dynamic":false},"isAutoplay":true,"paused":false,"playing":false},"current":null,"queue":[]},"isMemberInVC":null}`
	if got := string(player.Handshake(state, 7)); got != want {
		t.Errorf("handshake\n got %s\nwant %s", got, want)
	}
}

func TestMemberIsShownInTheVoiceChannelLastEntered(t *testing.T) {
	state := &playerv1.GuildState{}
	steps := []struct{ state, want string }{
		{`{"oldVC":null,"newVC":{"id":"42", "n":1.0}}`, `{"pona":null,"isMemberInVC":{"id":"42", "n":1.0}}`},
		{`{"oldVC":"42","newVC":"43"}`, `{"pona":null,"isMemberInVC":"43"}`},
		{`{"oldVC":"43","newVC":null}`, nothing},
		{`{"newVC":"44"}`, `{"pona":null,"isMemberInVC":"44"}`},
		{`{"oldVC":"44"}`, nothing},
	}
	for _, step := range steps {
		ev := event(&playerv1.MemberStateUpdated{UserId: 7, State: []byte(step.state)})
		if err := player.Fold(state, ev); err != nil {
			t.Fatal(err)
		}
		if got := string(player.Handshake(state, 7)); got != step.want {
			t.Errorf("after %s: %s, want %s", step.state, got, step.want)
		}
		if got := string(player.Handshake(state, 8)); got != nothing {
			t.Errorf("another member is shown %s", got)
		}
	}
}

func TestDestroyedPlayerLeavesMembersInTheirChannels(t *testing.T) {
	state := &playerv1.GuildState{}
	for _, ev := range []*playerv1.Event{
		event(&playerv1.MemberStateUpdated{UserId: 7, State: []byte(`{"newVC":"42"}`)}),
		event(&playerv1.PlayerDestroyed{State: []byte(`null`)}),
	} {
		if err := player.Fold(state, ev); err != nil {
			t.Fatal(err)
		}
	}
	if got := string(player.Handshake(state, 7)); got != `{"pona":null,"isMemberInVC":"42"}` {
		t.Errorf("handshake %s", got)
	}
}

func TestFoldKeepsNothingOfTheEventsMemory(t *testing.T) {
	for _, ev := range kinds() {
		state := &playerv1.GuildState{}
		if err := player.Fold(state, ev); err != nil {
			t.Fatal(err)
		}
		want := proto.Clone(state)
		scribble(ev)
		if !proto.Equal(state, want) {
			t.Errorf("%T: state changed with the event's bytes", ev.Kind)
		}
	}
}

// scribble overwrites every byte slice of ev.
func scribble(ev *playerv1.Event) {
	for _, raw := range [][]byte{
		ev.GetTrackStarted().GetTrack(), ev.GetTrackStarted().GetQueue(), ev.GetQueueUpdated().GetQueue(),
		ev.GetTrackUpdated().GetTrack(), ev.GetChannelUpdated().GetChannel(), ev.GetPlayerCreated().GetState(),
		ev.GetMemberStateUpdated().GetState(),
	} {
		for i := range raw {
			raw[i] = '#'
		}
	}
}

func TestUnknownKindIsAnErrorAndChangesNothing(t *testing.T) {
	state := &playerv1.GuildState{Exists: true, Volume: "5"}
	want := proto.Clone(state)
	if err := player.Fold(state, event(nil)); err == nil {
		t.Error("an event without kind was folded")
	}
	if !proto.Equal(state, want) {
		t.Errorf("state changed to %v", state)
	}
}

// FuzzFold folds events made of two arbitrary fields, and demands that a validated event leaves a
// handshake of valid JSON, and that no event panics.
func FuzzFold(f *testing.F) {
	for _, ev := range kinds() {
		raw, err := proto.Marshal(ev)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(raw, []byte(liveTrack), []byte(`[null, `+fastTrack+`]`))
	}
	for _, raw := range []string{``, ` `, `[`, `]`, `"`, `{"a"`, `[,]`, `[1,]`, `nul`, `[nu`, `{"id":"\ud800"}`, `{"newVC":`, "[\x00]", `-`, `+1`, `NaN`} {
		f.Add([]byte{}, []byte(raw), []byte(raw))
	}
	f.Fuzz(func(t *testing.T, encoded, a, b []byte) {
		var decoded playerv1.Event
		_ = proto.Unmarshal(encoded, &decoded) // what it made of it is an event, too
		good, all := &playerv1.GuildState{}, &playerv1.GuildState{}
		for _, ev := range []*playerv1.Event{
			event(&playerv1.ChannelUpdated{Channel: []byte(`"1"`)}),
			&decoded,
			event(&playerv1.TrackStarted{Track: a, Queue: b}),
			event(&playerv1.QueueUpdated{Queue: b}),
			event(&playerv1.TrackUpdated{Track: a}),
			event(&playerv1.PositionUpdated{Position: string(a)}),
			event(&playerv1.VolumeUpdated{Volume: string(b)}),
			event(&playerv1.ChannelUpdated{Channel: a}),
			event(&playerv1.PlayerCreated{State: a}),
			event(&playerv1.MemberStateUpdated{UserId: 7, State: a}),
			event(&playerv1.GenericEvent{Name: "x", Args: b}),
		} {
			_ = player.Fold(all, ev)
			player.Handshake(all, 7)
			emits, _ := player.Emits(ev)
			if player.Validate(ev) != nil {
				continue
			}
			if err := player.Fold(good, ev); err != nil {
				t.Fatalf("validated, but: %v", err)
			}
			if shown := player.Handshake(good, 7); !json.Valid(shown) {
				t.Fatalf("%v makes the handshake %s", ev, shown)
			}
			for _, emit := range emits {
				for _, arg := range emit.Args {
					if !json.Valid(arg.JSON) {
						t.Fatalf("%v emits %s %q", ev, emit.Name, arg.JSON)
					}
				}
			}
		}
	})
}
