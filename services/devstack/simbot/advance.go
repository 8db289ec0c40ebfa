package simbot

import (
	"time"
)

const (
	tickEvery   = time.Second             // between two position events
	lyricsDelay = 1500 * time.Millisecond // from a track's start until its lyrics have been found
)

// due is when advance must be called next. Without a player it is zero: nothing ever happens.
func (p *player) due() time.Time {
	if p.channel == "" {
		return time.Time{}
	}
	next := p.memberAt
	if p.current == nil || p.paused {
		return next
	}
	sooner := func(t time.Time) {
		if t.Before(next) {
			next = t
		}
	}
	sooner(p.ticked.Add(tickEvery))
	if !p.lyricsAt.IsZero() {
		sooner(p.lyricsAt)
	}
	if end, ends := p.end(); ends {
		sooner(end)
	}
	return next
}

// end is when the current track will have played to its end; false for a live stream.
func (p *player) end() (time.Time, bool) {
	if p.current.duration == 0 {
		return time.Time{}, false
	}
	return p.anchor.Add(p.current.duration - p.offset), true
}

// advance lets everything happen that is due at now.
func (p *player) advance(now time.Time) {
	if p.channel == "" {
		return
	}
	if p.current != nil && !p.paused {
		p.advanceTrack(now)
	}
	if !now.Before(p.memberAt) {
		p.memberActs(now)
		p.scheduleMember(now)
	}
}

// advanceTrack ends the track, or finds its lyrics and says where it is.
func (p *player) advanceTrack(now time.Time) {
	if end, ends := p.end(); ends && !now.Before(end) {
		if p.repeat == repeatTrack {
			p.play(*p.current, now)
		} else {
			p.follow(now)
		}
		return
	}
	if !p.lyricsAt.IsZero() && !now.Before(p.lyricsAt) {
		found := p.current.withLyrics()
		p.current, p.lyricsAt = &found, time.Time{}
		p.emitTrackUpdated()
	}
	if now.Sub(p.ticked) >= tickEvery {
		p.ticked = now
		p.emitPosition(now)
	}
}

// scheduleMember sets when a simulated member does something next: in 15 to 40 seconds.
func (p *player) scheduleMember(now time.Time) {
	p.memberAt = now.Add(15*time.Second + time.Duration(p.chance.Int64N(int64(25*time.Second))))
}

// memberActs lets a simulated member add a track to a short queue, and otherwise move one, remove
// one, turn the volume or switch autoplay. Members never pause, so that a listener's pause stays.
func (p *player) memberActs(now time.Time) {
	member := p.catalogue.members[p.chance.IntN(len(p.catalogue.members))]
	n := len(p.upcoming)
	if n < 4 {
		p.enqueue(now, p.entry(p.anySong(), member))
		return
	}
	switch p.chance.IntN(4) {
	case 0:
		p.moveTrack(1+p.chance.IntN(n), 1+p.chance.IntN(n), member)
	case 1:
		if n > 6 {
			p.removeTrack(1+p.chance.IntN(n), member)
			return
		}
		p.enqueue(now, p.entry(p.anySong(), member))
	case 2:
		p.volume = 30 + 2*p.chance.IntN(30)
		p.emitVolume()
	case 3:
		p.autoplay = !p.autoplay
		p.emitAutoplay()
	}
}
