package player

import (
	"bytes"

	playerv1 "github.com/pona-realtime/pona/proto/pona/player/v1"
)

// Handshake is the argument of the `handshake` event for a user, as JSON text before its base64:
//
//	{"pona": {"pona": {"position", "length", "voiceChannel", "volume", "equalizer", "repeat",
//	  "isAutoplay", "paused", "playing"}, "current", "queue"} | null, "isMemberInVC": … | null}
//
// The queue starts with the current track. The player is null whenever the bot is in no voice
// channel. A nil state is one of which nothing is known.
func Handshake(state *playerv1.GuildState, userID uint64) []byte {
	member := state.GetVoiceChannels()[userID]
	out := make([]byte, 0, 512+len(state.GetUpcoming())+2*len(state.GetCurrent())+len(member))
	out = append(out, `{"pona":`...)
	out = appendPlayer(out, state)
	out = append(out, `,"isMemberInVC":`...)
	out = append(out, either(member, "null")...)
	return append(out, '}')
}

func appendPlayer(out []byte, state *playerv1.GuildState) []byte {
	if !state.GetExists() || len(state.GetVoiceChannel()) == 0 {
		return append(out, "null"...)
	}
	out = append(out, `{"pona":{"position":`...)
	out = append(out, either([]byte(state.GetPosition()), "0")...)
	out = append(out, `,"length":`...)
	out = append(out, length(state.GetCurrent())...)
	out = append(out, `,"voiceChannel":`...)
	out = append(out, state.GetVoiceChannel()...)
	out = append(out, `,"volume":`...)
	out = append(out, either([]byte(state.GetVolume()), "100")...)
	out = append(out, `,"equalizer":`...)
	out = append(out, either(state.GetEqualizer(), "[]")...)
	out = append(out, `,"repeat":`...)
	out = append(out, either(state.GetRepeat(), `{"track":false,"queue":false,"dynamic":false}`)...)
	out = append(out, `,"isAutoplay":`...)
	out = append(out, either(state.GetAutoplay(), "false")...)
	out = append(out, `,"paused":`...)
	out = append(out, boolean(state.GetPaused())...)
	out = append(out, `,"playing":`...)
	out = append(out, boolean(state.GetPlaying())...)
	out = append(out, `},"current":`...)
	out = append(out, either(state.GetCurrent(), "null")...)
	out = append(out, `,"queue":`...)
	out = appendQueue(out, state.GetCurrent(), state.GetUpcoming())
	return append(out, '}')
}

// appendQueue writes current before the tracks of upcoming; both may be empty.
func appendQueue(out, current, upcoming []byte) []byte {
	if len(current) == 0 {
		return append(out, either(upcoming, "[]")...)
	}
	out = append(out, '[')
	out = append(out, current...)
	if len(upcoming) == 0 {
		return append(out, ']')
	}
	rest := upcoming[bytes.IndexByte(upcoming, '[')+1:]
	if after := bytes.TrimLeft(rest, " \t\r\n"); len(after) > 0 && after[0] != ']' {
		out = append(out, ',')
	}
	return append(out, rest...)
}

// length is the duration of a track as written, 0 without a track or where it is no number.
func length(track []byte) string {
	if duration := number(field(scan(track), "duration")); duration != "" {
		return duration
	}
	return "0"
}

// either is raw, or the fallback where raw is empty.
func either(raw []byte, fallback string) []byte {
	if len(raw) == 0 {
		return []byte(fallback)
	}
	return raw
}
