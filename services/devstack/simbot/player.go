package simbot

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	playerv1 "github.com/pona-realtime/pona/proto/pona/player/v1"
)

const (
	maxQueue   = 500 // tracks that wait; add is refused beyond
	maxHistory = 50  // tracks that previous can go back to; older ones are forgotten
)

// repeat is what happens when a track has ended by itself.
type repeat string

const (
	repeatNone  repeat = "none"
	repeatTrack repeat = "track"
	repeatQueue repeat = "queue"
)

// player is one guild's music. It has no goroutine and no clock: whoever owns it says what time it
// is, and takes the events that came of it. Its own chances are seeded, so the same calls with the
// same times make the same events.
type player struct {
	guild     Guild
	catalogue *catalogue
	chance    *rand.Rand

	channel  string // voice channel id; empty while the bot is in none: then there is no player
	current  *track // nil when nothing plays
	upcoming []track
	history  []track // newest last
	paused   bool
	volume   int // per cent
	repeat   repeat
	autoplay bool

	anchor   time.Time     // when the track was at offset
	offset   time.Duration // position at anchor, or where it is paused
	ticked   time.Time     // of the last position event
	lyricsAt time.Time     // when the current track's lyrics arrive; zero: none come
	memberAt time.Time     // when a simulated member does something next
	entries  int           // queue entries made so far, for uniqueId

	events []*playerv1.Event // what has happened since the owner took them
}

func newPlayer(c *catalogue, g Guild, seed uint64, now time.Time) *player {
	p := &player{
		guild: g, catalogue: c, chance: rand.New(rand.NewPCG(seed, g.ID)),
		volume: g.Volume, repeat: repeatNone, autoplay: g.Autoplay,
	}
	for i, song := range g.pick {
		p.upcoming = append(p.upcoming, p.entry(c.songs[song], c.members[i%len(c.members)]))
	}
	if g.Joined {
		p.create(g.Channel, now)
	}
	return p
}

// create makes the player in a voice channel and starts the queue.
func (p *player) create(channel string, now time.Time) {
	p.channel = channel
	p.scheduleMember(now)
	p.emitCreated()
	p.follow(now)
}

// entry makes a queue entry for whoever asked for the song, a JSON guild member.
func (p *player) entry(s song, requester []byte) track {
	p.entries++
	return newTrack(s, fmt.Sprintf("%d-%d", p.guild.ID, p.entries), requester)
}

// anySong is one that the guild likes.
func (p *player) anySong() song {
	return p.catalogue.songs[p.guild.pick[p.chance.IntN(len(p.guild.pick))]]
}

// play makes t the current track, from its start.
func (p *player) play(t track, now time.Time) {
	p.current, p.paused = &t, false
	p.anchor, p.offset, p.ticked = now, 0, now
	p.lyricsAt = time.Time{}
	if t.lyrics != nil {
		p.lyricsAt = now.Add(lyricsDelay)
	}
	p.emitTrackStarted()
}

// follow goes on after the current track, which is done: with the queue, with a track of its own
// choice when autoplay is on, or not at all.
func (p *player) follow(now time.Time) {
	if p.current != nil {
		p.remember(*p.current)
		if p.repeat == repeatQueue {
			p.upcoming = append(p.upcoming, *p.current)
		}
	}
	switch {
	case len(p.upcoming) > 0:
		next := p.upcoming[0]
		p.upcoming = p.upcoming[1:]
		p.play(next, now)
	case p.autoplay:
		p.play(p.entry(p.anySong(), []byte(`{"id":"0","username":"autoplay"}`)), now)
	case p.current != nil:
		p.current, p.paused, p.offset, p.lyricsAt = nil, false, 0, time.Time{}
		p.emitQueueEnded()
	}
}

// enqueue adds tracks at the end and starts the first when nothing plays.
func (p *player) enqueue(now time.Time, tracks ...track) {
	p.upcoming = append(p.upcoming, tracks...)
	if p.current == nil {
		p.follow(now)
		return
	}
	p.emitQueueUpdated()
}

func (p *player) remember(t track) {
	p.history = append(p.history, t)
	if over := len(p.history) - maxHistory; over > 0 {
		p.history = slices.Delete(p.history, 0, over)
	}
}

// position is how far the current track has played, never beyond its end; 0 when there is none.
func (p *player) position(now time.Time) time.Duration {
	if p.current == nil {
		return 0
	}
	at := p.offset
	if !p.paused {
		at += now.Sub(p.anchor)
	}
	if d := p.current.duration; d > 0 {
		at = min(at, d)
	}
	return at
}

// hold pauses or resumes; the position stays where it is.
func (p *player) hold(paused bool, now time.Time) {
	p.offset, p.anchor = p.position(now), now
	p.paused = paused
	p.emitPaused()
}

// take hands over what has happened since the last call.
func (p *player) take() []*playerv1.Event {
	events := p.events
	p.events = nil
	return events
}
