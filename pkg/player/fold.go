// Package player is what Pona knows of a guild's player: how events fold into its state, what the
// `handshake` event shows of it, and what each event emits to clients.
//
// Its truth is the contract with existing web clients and bots, and proto/pona/player/v1. JSON that
// a bot wrote is never decoded and encoded again: parts of it are cut out as bytes, so numbers, key
// order, spaces and escapes stay as they are. Positions and lengths are milliseconds, volumes per
// cent. The package holds no state of its own and never logs; a GuildState must not be folded into
// and read at the same time.
package player

import (
	"fmt"

	"github.com/tidwall/gjson"

	playerv1 "github.com/pona-realtime/pona/proto/pona/player/v1"
)

// maxVoiceMembers bounds the members of one guild whose voice channel is kept. One more that joins
// is shown in none, until another leaves.
const maxVoiceMembers = 100_000

// Fold changes state by ev. Folding the same events in the same order gives the same state.
//
// ev must have passed Validate: of one that has not, parts that make no sense are left out or kept
// as they are, but nothing panics. What state keeps is copied, so ev may be reused. The error names
// a kind that this build does not know; state is then unchanged.
func Fold(state *playerv1.GuildState, ev *playerv1.Event) error {
	switch kind := ev.GetKind().(type) {
	case *playerv1.Event_TrackStarted:
		state.Exists = true
		_, state.Upcoming, _ = elements(kind.TrackStarted.GetQueue())
		state.Current = object(kind.TrackStarted.GetTrack())
		state.Position = "0"
		state.Playing, state.Paused = true, false
	case *playerv1.Event_QueueUpdated:
		state.Exists = true
		first, rest, any := elements(kind.QueueUpdated.GetQueue())
		if any {
			state.Current = first
		}
		state.Upcoming = rest
	case *playerv1.Event_TrackUpdated:
		state.Exists = true
		state.Current = object(kind.TrackUpdated.GetTrack())
		if state.Current == nil {
			state.Playing = false
		}
	case *playerv1.Event_PositionUpdated:
		state.Position = kind.PositionUpdated.GetPosition()
	case *playerv1.Event_PauseUpdated:
		state.Exists = true
		state.Paused = kind.PauseUpdated.GetPaused()
		state.Playing = !state.Paused
	case *playerv1.Event_VolumeUpdated:
		state.Exists = true
		state.Volume = kind.VolumeUpdated.GetVolume()
	case *playerv1.Event_AutoplayUpdated:
		state.Exists = true
		state.Autoplay = boolean(kind.AutoplayUpdated.GetAutoplay())
	case *playerv1.Event_RepeatUpdated:
		state.Exists = true
		state.Repeat = repeat(kind.RepeatUpdated)
	case *playerv1.Event_ChannelUpdated:
		state.Exists = true
		state.VoiceChannel = channelID(scan(kind.ChannelUpdated.GetChannel()))
	case *playerv1.Event_QueueEnded:
		state.Exists = true
		state.Current, state.Upcoming = nil, nil
	case *playerv1.Event_PlayerCreated:
		foldPlayer(state, kind.PlayerCreated.GetState())
	case *playerv1.Event_PlayerDestroyed:
		endPlayer(state)
	case *playerv1.Event_MemberStateUpdated:
		foldMember(state, kind.MemberStateUpdated)
	case *playerv1.Event_ConnectionUpdated, *playerv1.Event_QueueUpdating, *playerv1.Event_UnknownUpdated,
		*playerv1.Event_TrackMoved, *playerv1.Event_TrackRemoved, *playerv1.Event_Generic:
		// Clients hear of these; the state is the same before and after.
	default:
		return fmt.Errorf("kind: %T is not known", kind)
	}
	return nil
}

// endPlayer leaves of a state what is not the player's: who is in which voice channel.
func endPlayer(state *playerv1.GuildState) {
	members := state.GetVoiceChannels()
	state.Reset()
	state.VoiceChannels = members
}

// foldPlayer replaces the player by the one that raw describes, or ends it where raw is null.
func foldPlayer(state *playerv1.GuildState, raw []byte) {
	endPlayer(state)
	whole := scan(raw)
	if !whole.IsObject() {
		return
	}
	state.Exists = true
	if current := field(whole, "current"); current.IsObject() {
		state.Current = cut(current)
	}
	if queue := field(whole, "queue"); queue.IsArray() {
		state.Upcoming = cut(queue)
	}
	field(whole, "pona").ForEach(func(key, value gjson.Result) bool {
		switch key.Str {
		case "position":
			state.Position = number(value)
		case "volume":
			state.Volume = number(value)
		case "voiceChannel":
			state.VoiceChannel = channelID(value)
		case "equalizer":
			if value.IsArray() {
				state.Equalizer = cut(value)
			}
		case "repeat":
			if value.IsObject() {
				state.Repeat = cut(value)
			}
		case "isAutoplay":
			if value.IsBool() {
				state.Autoplay = cut(value)
			}
		case "paused":
			state.Paused = value.Type == gjson.True
		case "playing":
			state.Playing = value.Type == gjson.True
		}
		return true
	})
}

// foldMember keeps the voice channel that a member is in now, as written.
func foldMember(state *playerv1.GuildState, ev *playerv1.MemberStateUpdated) {
	now := field(scan(ev.GetState()), "newVC")
	if now.Type == gjson.Null {
		delete(state.VoiceChannels, ev.GetUserId())
		return
	}
	if _, known := state.VoiceChannels[ev.GetUserId()]; !known && len(state.VoiceChannels) >= maxVoiceMembers {
		return
	}
	if state.VoiceChannels == nil {
		state.VoiceChannels = make(map[uint64][]byte)
	}
	state.VoiceChannels[ev.GetUserId()] = cut(now)
}

// channelID is the id of a voice channel given as id or as object with one, a JSON string; empty
// where there is none.
func channelID(v gjson.Result) []byte {
	if v.IsObject() {
		v = field(v, "id")
	}
	if v.Type != gjson.String || v.Str == "" {
		return nil
	}
	return cut(v)
}

// object copies raw if it is a JSON object.
func object(raw []byte) []byte {
	v := scan(raw)
	if !v.IsObject() {
		return nil
	}
	return cut(v)
}

// number is the text of v if it is a number.
func number(v gjson.Result) string {
	if v.Type != gjson.Number {
		return ""
	}
	return string(cut(v))
}
