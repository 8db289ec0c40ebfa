package engineio

import (
	"container/list"
	"errors"
	"sync"
	"time"
)

var errBusy = errors.New("engineio: too many large messages at the same time")

// patience is how long a large message may take to arrive when others want its room.
const patience = time.Second

// intake counts the bytes of large messages that arrive or are being handled. At the bound, room is given to
// whoever begins, by whoever has been sending for the longest time, if that is longer than patience. So nobody
// occupies it for long by stopping amid a message: it takes sending as many bytes again each second.
type intake struct {
	bound int64

	mu       sync.Mutex
	held     int64
	arriving list.List // of *arrival, the one that began first in front
}

// sender is where a message comes from.
type sender interface {
	// large is called before more than a light message is read.
	large()
	// interrupt lets the reading fail. It is called by another goroutine, while somebody reads, and must not wait.
	interrupt()
}

// arrival is one large message's share; the intake's mu guards it.
type arrival struct {
	from  sender
	began time.Time
	held  int64
	place *list.Element // in arriving; nil before the first byte is reserved, and after the last has come
	lost  bool          // its room has been given away
}

// reserve takes room for so many bytes more; false where there is none. With oust it may be others' room.
func (i *intake) reserve(a *arrival, n int64, oust bool) bool {
	i.mu.Lock()
	defer i.mu.Unlock()
	for i.held+n > i.bound && oust && i.oust(a) {
	}
	if a.lost || i.held+n > i.bound {
		return false
	}
	if a.place == nil {
		a.began, a.place = time.Now(), i.arriving.PushBack(a)
	}
	i.held, a.held = i.held+n, a.held+n
	return true
}

// oust gives away the room of whoever has been sending for the longest time; false if that is not long, or
// the asking one itself. The caller holds mu.
func (i *intake) oust(asking *arrival) bool {
	first := i.arriving.Front()
	if first == nil || first == asking.place {
		return false
	}
	slow := first.Value.(*arrival)
	if time.Since(slow.began) < patience {
		return false
	}
	i.arriving.Remove(first)
	i.held -= slow.held
	slow.place, slow.held, slow.lost = nil, 0, true
	slow.from.interrupt()
	return true
}

// arrived says that the last byte has come. It is false when the room has been given away.
func (i *intake) arrived(a *arrival) bool {
	i.mu.Lock()
	defer i.mu.Unlock()
	if a.place != nil {
		i.arriving.Remove(a.place)
		a.place = nil
	}
	return !a.lost
}

// release gives back what was reserved. Nothing may be reserved any more.
func (i *intake) release(a *arrival) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.held -= a.held
	a.held = 0
}
