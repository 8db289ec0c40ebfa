package simbot

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"
)

// command is what a listener asked for, as far as a player needs to know.
type command struct {
	user uint64 // Discord snowflake
	name string
	args []json.RawMessage
}

// handlers are the commands the player obeys. An error is the reason the listener is given; then
// nothing has changed and no event was made. Indexes count as in queue_updated: 0 is the current track.
var handlers = map[string]func(p *player, c command, now time.Time) error{
	"join":         (*player).commandJoin,
	"play":         func(p *player, c command, now time.Time) error { return p.commandHold(c, false, now) },
	"pause":        func(p *player, c command, now time.Time) error { return p.commandHold(c, true, now) },
	"seek":         (*player).commandSeek,
	"next":         (*player).commandNext,
	"previous":     (*player).commandPrevious,
	"skipto":       (*player).commandSkipTo,
	"move":         (*player).commandMove,
	"rm":           (*player).commandRemove,
	"repeat":       (*player).commandRepeat,
	"add":          (*player).commandAdd,
	"add-playlist": (*player).commandAddPlaylist,
}

var (
	errNoPlayer = errors.New("the bot is in no voice channel, join it to one first")
	errNoTrack  = errors.New("nothing is playing")
)

// obey carries out a command.
func (p *player) obey(c command, now time.Time) error {
	handle, known := handlers[c.name]
	switch {
	case !known:
		return fmt.Errorf("unknown command %q", c.name)
	case p.channel == "" && c.name != "join":
		return errNoPlayer
	}
	return handle(p, c, now)
}

func (p *player) commandJoin(c command, now time.Time) error {
	var guild, channel string
	if err := c.decode(&guild, &channel); err != nil {
		return err
	}
	if id, err := strconv.ParseUint(guild, 10, 64); err != nil || id != p.guild.ID {
		return fmt.Errorf("guild %q is not this one", guild)
	}
	if _, err := strconv.ParseUint(channel, 10, 64); err != nil {
		return fmt.Errorf("voice channel %q is no id", channel)
	}
	switch p.channel {
	case "":
		p.create(channel, now)
	case channel:
	default:
		p.channel = channel
		p.emitChannel()
	}
	p.emitSeated(c.user)
	return nil
}

func (p *player) commandHold(c command, paused bool, now time.Time) error {
	if err := c.decode(); err != nil {
		return err
	}
	if p.current == nil {
		return errNoTrack
	}
	p.hold(paused, now)
	return nil
}

func (p *player) commandSeek(c command, now time.Time) error {
	var ms float64
	if err := c.decode(&ms); err != nil {
		return err
	}
	switch {
	case p.current == nil:
		return errNoTrack
	case !p.current.seekable:
		return errors.New("a live stream has no position to seek to")
	case ms < 0 || ms > float64(p.current.duration)/float64(time.Millisecond):
		return fmt.Errorf("position %v ms is outside the track of %s ms", ms, p.current.length)
	}
	p.offset, p.anchor, p.ticked = time.Duration(ms*float64(time.Millisecond)), now, now
	p.emitPosition(now)
	return nil
}

func (p *player) commandNext(c command, now time.Time) error {
	if err := c.decode(); err != nil {
		return err
	}
	if p.current == nil {
		return errNoTrack
	}
	p.follow(now)
	return nil
}

// commandPrevious goes back to the track before, or to the start of the first one.
func (p *player) commandPrevious(c command, now time.Time) error {
	if err := c.decode(); err != nil {
		return err
	}
	if len(p.history) == 0 {
		if p.current == nil {
			return errNoTrack
		}
		p.play(*p.current, now)
		return nil
	}
	last := p.history[len(p.history)-1]
	p.history = p.history[:len(p.history)-1]
	// With repeat, the track waits at the end as well; it must not be in the queue twice.
	p.upcoming = slices.DeleteFunc(slices.Clone(p.upcoming), func(t track) bool { return t.id == last.id })
	if p.current != nil {
		p.upcoming = slices.Insert(p.upcoming, 0, *p.current)
	}
	p.play(last, now)
	return nil
}

func (p *player) commandSkipTo(c command, now time.Time) error {
	var index int
	if err := c.decode(&index); err != nil {
		return err
	}
	switch {
	case p.current == nil:
		return errNoTrack
	case index < 0 || index > len(p.upcoming):
		return p.noSuchIndex("index", index)
	case index == 0:
		p.play(*p.current, now)
		return nil
	}
	skipped := p.upcoming[:index-1]
	p.upcoming = slices.Clone(p.upcoming[index-1:])
	if p.repeat == repeatQueue {
		p.upcoming = append(p.upcoming, skipped...)
	}
	p.follow(now)
	return nil
}

func (p *player) commandMove(c command, _ time.Time) error {
	var from, to int
	if err := c.decode(&from, &to); err != nil {
		return err
	}
	switch {
	case from < 1 || from > len(p.upcoming):
		return p.noSuchIndex("from", from)
	case to < 1 || to > len(p.upcoming):
		return p.noSuchIndex("to", to)
	}
	p.moveTrack(from, to, memberJSON(c.user))
	return nil
}

func (p *player) commandRemove(c command, _ time.Time) error {
	var id string
	if err := c.decode(&id); err != nil {
		return err
	}
	if p.current != nil && p.current.id == id {
		return errors.New("this track is playing, skip it instead")
	}
	i := slices.IndexFunc(p.upcoming, func(t track) bool { return t.id == id })
	if i < 0 {
		return fmt.Errorf("no track %q in the queue", id)
	}
	p.removeTrack(i+1, memberJSON(c.user))
	return nil
}

func (p *player) commandRepeat(c command, _ time.Time) error {
	var mode repeat
	if err := c.decode(&mode); err != nil {
		return err
	}
	if mode != repeatNone && mode != repeatTrack && mode != repeatQueue {
		return fmt.Errorf("repeat %q is none of none, track, queue", mode)
	}
	p.repeat = mode
	p.emitRepeat()
	return nil
}

// moveTrack moves the track at one index to another, both at least 1.
func (p *player) moveTrack(from, to int, member []byte) {
	t := p.upcoming[from-1]
	p.upcoming = slices.Insert(slices.Delete(slices.Clone(p.upcoming), from-1, from), to-1, t)
	p.emitMoved(member)
	p.emitQueueUpdated()
}

// removeTrack removes the track at an index of at least 1.
func (p *player) removeTrack(index int, member []byte) {
	p.upcoming = slices.Delete(slices.Clone(p.upcoming), index-1, index)
	p.emitRemoved(member)
	p.emitQueueUpdated()
}

func (p *player) noSuchIndex(what string, index int) error {
	if len(p.upcoming) == 0 {
		return errors.New("the queue is empty")
	}
	return fmt.Errorf("%s %d is outside the queue, which goes from 1 to %d", what, index, len(p.upcoming))
}

// memberJSON is the guild member a listener is to the simulation, which knows their id only.
func memberJSON(user uint64) []byte {
	return fmt.Appendf(nil, `{"user":{"id":"%d","username":"listener","globalName":null},"nickname":null,"roles":[]}`, user)
}
