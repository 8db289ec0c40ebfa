package link

import (
	"sync"

	"github.com/pona-realtime/pona/pkg/player"
	edgev1 "github.com/pona-realtime/pona/proto/pona/edge/v1"
)

// route is the way of one wanted guild's events: who brings them, and how far they have come.
type route struct {
	guildID uint64
	stream  *stream // of the partition's owner; nil while nobody owns it. Guarded by Links.mu.

	mu       sync.Mutex // held while something of the guild is delivered; taken without Links.mu held
	known    bool       // a snapshot has been delivered
	sequence uint64     // the last one delivered
}

// Subscribe asks for a guild: Guilds gets its Snapshot and then its events, until Unsubscribe. It
// returns at once. A guild is subscribed once until it is unsubscribed.
func (l *Links) Subscribe(guildID uint64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.routes[guildID] != nil {
		return
	}
	r := &route{guildID: guildID}
	l.routes[guildID] = r
	l.assign(r)
}

// Unsubscribe ends the deliveries of a guild; one that is under way may still come.
func (l *Links) Unsubscribe(guildID uint64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if r := l.routes[guildID]; r != nil {
		delete(l.routes, guildID)
		if r.stream != nil {
			r.stream.changed(guildID)
		}
	}
}

// assign gives a route to the owner of its guild's partition. Called with mu held.
func (l *Links) assign(r *route) {
	var owner *stream
	if l.claims.count != 0 {
		owner = l.claims.owner(player.Partition(r.guildID, l.claims.count))
	}
	if owner == r.stream {
		return
	}
	if r.stream != nil {
		r.stream.overrule(r.guildID)
	}
	if r.stream = owner; owner != nil {
		owner.changed(r.guildID)
	}
}

// owned takes what a fanout says it owns from now on.
func (l *Links) owned(s *stream, owned *edgev1.Owned) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if err := l.claims.claim(s, owned); err != nil {
		return err
	}
	if !s.live {
		s.live = true
		l.live = append(l.live, s)
		l.report()
	}
	l.assignAll()
	return nil
}

// released takes what a fanout no longer owns; it has forgotten what was subscribed of it.
func (l *Links) released(s *stream, partitions []uint32) {
	l.mu.Lock()
	defer l.mu.Unlock()
	gone := make(map[uint32]bool, len(partitions))
	for _, partition := range partitions {
		l.claims.release(s, partition)
		gone[partition] = true
	}
	for guildID := range s.sent {
		if gone[player.Partition(guildID, l.claims.count)] {
			delete(s.sent, guildID)
		}
	}
	l.assignAll()
}

// left forgets a stream that has ended.
func (l *Links) left(s *stream) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.claims.leave(s)
	for i, live := range l.live {
		if live == s {
			l.live = append(l.live[:i:i], l.live[i+1:]...)
			l.report()
			break
		}
	}
	l.assignAll()
}

// assignAll assigns every route again. Called with mu held.
func (l *Links) assignAll() {
	for _, r := range l.routes {
		l.assign(r)
	}
}
