package simbot

import (
	"bytes"
	"fmt"
	"strconv"
	"time"

	playerv1 "github.com/pona-realtime/pona/proto/pona/player/v1"
)

// emit notes an event of the guild. The publisher gives it its id and time.
func (p *player) emit(e *playerv1.Event) {
	e.GuildId = p.guild.ID
	p.events = append(p.events, e)
}

func (p *player) emitTrackStarted() {
	p.emit(&playerv1.Event{Kind: &playerv1.Event_TrackStarted{TrackStarted: &playerv1.TrackStarted{
		Track: p.current.json, Queue: p.queueJSON(),
	}}})
}

func (p *player) emitTrackUpdated() {
	p.emit(&playerv1.Event{Kind: &playerv1.Event_TrackUpdated{TrackUpdated: &playerv1.TrackUpdated{Track: p.currentJSON()}}})
}

func (p *player) emitQueueUpdated() {
	p.emit(&playerv1.Event{Kind: &playerv1.Event_QueueUpdated{QueueUpdated: &playerv1.QueueUpdated{Queue: p.queueJSON()}}})
}

// emitQueueEnded says it in the three ways clients listen for: no track, an empty queue, its end.
func (p *player) emitQueueEnded() {
	p.emitTrackUpdated()
	p.emitQueueUpdated()
	p.emit(&playerv1.Event{Kind: &playerv1.Event_QueueEnded{QueueEnded: &playerv1.QueueEnded{}}})
}

func (p *player) emitQueueUpdating() {
	p.emit(&playerv1.Event{Kind: &playerv1.Event_QueueUpdating{QueueUpdating: &playerv1.QueueUpdating{}}})
}

func (p *player) emitPosition(now time.Time) {
	p.emit(&playerv1.Event{Kind: &playerv1.Event_PositionUpdated{PositionUpdated: &playerv1.PositionUpdated{
		Position: milliseconds(p.position(now)),
	}}})
}

func (p *player) emitPaused() {
	p.emit(&playerv1.Event{Kind: &playerv1.Event_PauseUpdated{PauseUpdated: &playerv1.PauseUpdated{Paused: p.paused}}})
}

func (p *player) emitVolume() {
	p.emit(&playerv1.Event{Kind: &playerv1.Event_VolumeUpdated{VolumeUpdated: &playerv1.VolumeUpdated{Volume: strconv.Itoa(p.volume)}}})
}

func (p *player) emitAutoplay() {
	p.emit(&playerv1.Event{Kind: &playerv1.Event_AutoplayUpdated{AutoplayUpdated: &playerv1.AutoplayUpdated{Autoplay: p.autoplay}}})
}

func (p *player) emitRepeat() {
	p.emit(&playerv1.Event{Kind: &playerv1.Event_RepeatUpdated{RepeatUpdated: &playerv1.RepeatUpdated{
		Track: p.repeat == repeatTrack, Queue: p.repeat == repeatQueue,
	}}})
}

func (p *player) emitChannel() {
	p.emit(&playerv1.Event{Kind: &playerv1.Event_ChannelUpdated{ChannelUpdated: &playerv1.ChannelUpdated{Channel: quoted(p.channel)}}})
}

func (p *player) emitCreated() {
	p.emit(&playerv1.Event{Kind: &playerv1.Event_PlayerCreated{PlayerCreated: &playerv1.PlayerCreated{State: p.stateJSON()}}})
}

func (p *player) emitMoved(member []byte) {
	p.emit(&playerv1.Event{Kind: &playerv1.Event_TrackMoved{TrackMoved: &playerv1.TrackMoved{Member: member}}})
}

func (p *player) emitRemoved(member []byte) {
	p.emit(&playerv1.Event{Kind: &playerv1.Event_TrackRemoved{TrackRemoved: &playerv1.TrackRemoved{Member: member}}})
}

// emitSeated tells a listener that they are now in the bot's voice channel.
func (p *player) emitSeated(user uint64) {
	p.emit(&playerv1.Event{Kind: &playerv1.Event_MemberStateUpdated{MemberStateUpdated: &playerv1.MemberStateUpdated{
		UserId: user,
		State: fmt.Appendf(nil, `{"oldVC":null,"newVC":%s,"isUserJoined":true,"isUserSwitched":false,"isUserLeaved":false,"isSameVC":true}`,
			quoted(p.channel)),
	}}})
}

func (p *player) currentJSON() []byte {
	if p.current == nil {
		return []byte("null")
	}
	return p.current.json
}

// queueJSON is the queue as clients get it: the current track first, null when there is none.
func (p *player) queueJSON() []byte {
	return joined(append([][]byte{p.currentJSON()}, texts(p.upcoming)...))
}

// stateJSON is the player state of player_created, whose queue is without the current track.
func (p *player) stateJSON() []byte {
	length := "0"
	if p.current != nil {
		length = p.current.length
	}
	return fmt.Appendf(nil, `{"pona":{"position":0,"length":%s,"voiceChannel":%s,"volume":%d,"equalizer":[],`+
		`"repeat":{"track":%t,"queue":%t,"dynamic":false},"isAutoplay":%t,"paused":%t,"playing":%t},"current":%s,"queue":%s}`,
		length, quoted(p.channel), p.volume, p.repeat == repeatTrack, p.repeat == repeatQueue,
		p.autoplay, p.paused, p.current != nil && !p.paused, p.currentJSON(), joined(texts(p.upcoming)))
}

func texts(tracks []track) [][]byte {
	list := make([][]byte, len(tracks))
	for i, t := range tracks {
		list[i] = t.json
	}
	return list
}

// joined is the JSON array of the given values.
func joined(values [][]byte) []byte {
	return append(append([]byte{'['}, bytes.Join(values, []byte{','})...), ']')
}

// quoted is the JSON string of an id, which is all digits.
func quoted(id string) []byte { return strconv.AppendQuote(nil, id) }

// milliseconds writes d as a JSON number in ms, with its fraction.
func milliseconds(d time.Duration) string {
	return strconv.FormatFloat(float64(d)/float64(time.Millisecond), 'f', -1, 64)
}
