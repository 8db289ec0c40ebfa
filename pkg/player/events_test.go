package player_test

import playerv1 "github.com/pona-realtime/pona/proto/pona/player/v1"

// Tracks as a bot writes them: a live stream's duration that no float64 round trip keeps as text,
// keys out of order, text outside ASCII, characters that encoders like to escape, escapes that they
// like to resolve, and spaces.
const (
	liveTrack = `{"uniqueId":"a1","title":"夜に駆ける <&> \u2028 \/ é","duration":9223372036854776000,"author":"Ü","pluginInfo":{"z":1,"a":[1.50,2e3]}}`
	fastTrack = `{ "title" : "b", "duration" : 215000.25 , "isStream":false }`
	bareTrack = `{"title":"no duration"}`
)

// event gives a kind an id and a guild.
func event(kind any) *playerv1.Event {
	ev := &playerv1.Event{EventId: "e-1", GuildId: 100000000000000001}
	switch kind := kind.(type) {
	case *playerv1.TrackStarted:
		ev.Kind = &playerv1.Event_TrackStarted{TrackStarted: kind}
	case *playerv1.QueueUpdated:
		ev.Kind = &playerv1.Event_QueueUpdated{QueueUpdated: kind}
	case *playerv1.TrackUpdated:
		ev.Kind = &playerv1.Event_TrackUpdated{TrackUpdated: kind}
	case *playerv1.PositionUpdated:
		ev.Kind = &playerv1.Event_PositionUpdated{PositionUpdated: kind}
	case *playerv1.PauseUpdated:
		ev.Kind = &playerv1.Event_PauseUpdated{PauseUpdated: kind}
	case *playerv1.VolumeUpdated:
		ev.Kind = &playerv1.Event_VolumeUpdated{VolumeUpdated: kind}
	case *playerv1.AutoplayUpdated:
		ev.Kind = &playerv1.Event_AutoplayUpdated{AutoplayUpdated: kind}
	case *playerv1.RepeatUpdated:
		ev.Kind = &playerv1.Event_RepeatUpdated{RepeatUpdated: kind}
	case *playerv1.ChannelUpdated:
		ev.Kind = &playerv1.Event_ChannelUpdated{ChannelUpdated: kind}
	case *playerv1.ConnectionUpdated:
		ev.Kind = &playerv1.Event_ConnectionUpdated{ConnectionUpdated: kind}
	case *playerv1.QueueEnded:
		ev.Kind = &playerv1.Event_QueueEnded{QueueEnded: kind}
	case *playerv1.QueueUpdating:
		ev.Kind = &playerv1.Event_QueueUpdating{QueueUpdating: kind}
	case *playerv1.UnknownUpdated:
		ev.Kind = &playerv1.Event_UnknownUpdated{UnknownUpdated: kind}
	case *playerv1.PlayerCreated:
		ev.Kind = &playerv1.Event_PlayerCreated{PlayerCreated: kind}
	case *playerv1.PlayerDestroyed:
		ev.Kind = &playerv1.Event_PlayerDestroyed{PlayerDestroyed: kind}
	case *playerv1.TrackMoved:
		ev.Kind = &playerv1.Event_TrackMoved{TrackMoved: kind}
	case *playerv1.TrackRemoved:
		ev.Kind = &playerv1.Event_TrackRemoved{TrackRemoved: kind}
	case *playerv1.MemberStateUpdated:
		ev.Kind = &playerv1.Event_MemberStateUpdated{MemberStateUpdated: kind}
	case *playerv1.GenericEvent:
		ev.Kind = &playerv1.Event_Generic{Generic: kind}
	}
	return ev
}

// kinds is one good event of every kind.
func kinds() []*playerv1.Event {
	return []*playerv1.Event{
		event(&playerv1.TrackStarted{Track: []byte(liveTrack), Queue: []byte(`[` + liveTrack + `,` + fastTrack + `]`)}),
		event(&playerv1.QueueUpdated{Queue: []byte(`[null,` + fastTrack + `]`)}),
		event(&playerv1.TrackUpdated{Track: []byte(fastTrack)}),
		event(&playerv1.PositionUpdated{Position: "1234.5678"}),
		event(&playerv1.PauseUpdated{Paused: true}),
		event(&playerv1.VolumeUpdated{Volume: "1e2"}),
		event(&playerv1.AutoplayUpdated{Autoplay: true}),
		event(&playerv1.RepeatUpdated{Queue: true}),
		event(&playerv1.ChannelUpdated{Channel: []byte(`{"name":"🎶","id":"42"}`)}),
		event(&playerv1.ConnectionUpdated{}),
		event(&playerv1.QueueEnded{}),
		event(&playerv1.QueueUpdating{}),
		event(&playerv1.UnknownUpdated{}),
		event(&playerv1.PlayerCreated{State: []byte(createdState)}),
		event(&playerv1.PlayerDestroyed{State: []byte(`null`)}),
		event(&playerv1.TrackMoved{Member: []byte(`{"id":"7"}`)}),
		event(&playerv1.TrackRemoved{Member: []byte(`{"id":"7"}`)}),
		event(&playerv1.MemberStateUpdated{UserId: 7, State: []byte(`{"oldVC":null,"newVC":{"id":"42", "name":"é"}}`)}),
		event(&playerv1.GenericEvent{Room: "r", Name: "lyrics", Args: []byte(`[1.50, {"b":1,"a":2} ,"\u2028",null]`)}),
	}
}

const createdState = `{"pona":{"position":12.75,"length":5,"voiceChannel":"42","volume":85.0,"equalizer":[ 0.1,0.20],` +
	`"repeat":{"dynamic":true,"track":false,"queue":false},"isAutoplay":true,"paused":true,"playing":false},` +
	`"current":` + liveTrack + `,"queue":[ ` + fastTrack + `]}`
