package owner

import (
	"sort"
	"sync"
	"sync/atomic"
	"time"

	edgev1 "github.com/pona-realtime/pona/proto/pona/edge/v1"
)

// An ages remembers one event of each second, for agesKept: 600 of them.
const (
	agesEvery = time.Second
	agesKept  = 10 * time.Minute
)

// ages says which sequences are how old, of the whole stream.
type ages struct {
	newest atomic.Int64 // stored at, of the last mark

	mu    sync.Mutex
	marks []mark // in order of both fields
}

// mark is an event: all later ones have higher sequences.
type mark struct {
	sequence uint64
	storedAt int64 // ns since 1970 UTC
}

// note takes the age of an event that has been read.
func (a *ages) note(d *edgev1.Delivery) {
	if d.GetStoredAtNs()-a.newest.Load() < int64(agesEvery) {
		return
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if n := len(a.marks); n > 0 && (d.GetSequence() <= a.marks[n-1].sequence || d.GetStoredAtNs() < a.marks[n-1].storedAt) {
		return // partitions are not read at the same pace
	}
	a.newest.Store(d.GetStoredAtNs())
	a.marks = append(a.marks, mark{d.GetSequence(), d.GetStoredAtNs()})
	if old := a.before(time.Unix(0, d.GetStoredAtNs()).Add(-agesKept)); old > 0 {
		a.marks = append(a.marks[:0], a.marks[old:]...)
	}
}

// storedBefore is a sequence up to which everything was stored before t; 0 where none is known.
func (a *ages) storedBefore(t time.Time) uint64 {
	a.mu.Lock()
	defer a.mu.Unlock()
	if n := a.before(t); n > 0 {
		return a.marks[n-1].sequence
	}
	return 0
}

// before counts the marks before t. The caller holds mu.
func (a *ages) before(t time.Time) int {
	return sort.Search(len(a.marks), func(i int) bool { return a.marks[i].storedAt >= t.UnixNano() })
}
