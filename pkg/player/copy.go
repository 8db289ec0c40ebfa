package player

import (
	"maps"

	playerv1 "github.com/pona-realtime/pona/proto/pona/player/v1"
)

// Copy gives a state that stays as it is while state is folded on, at the cost of a few words: the two
// share their JSON, whose bytes Fold replaces and never changes.
func Copy(state *playerv1.GuildState) *playerv1.GuildState {
	return &playerv1.GuildState{
		Exists:        state.GetExists(),
		Position:      state.GetPosition(),
		VoiceChannel:  state.GetVoiceChannel(),
		Volume:        state.GetVolume(),
		Equalizer:     state.GetEqualizer(),
		Repeat:        state.GetRepeat(),
		Autoplay:      state.GetAutoplay(),
		Paused:        state.GetPaused(),
		Playing:       state.GetPlaying(),
		Current:       state.GetCurrent(),
		Upcoming:      state.GetUpcoming(),
		VoiceChannels: maps.Clone(state.GetVoiceChannels()),
	}
}
