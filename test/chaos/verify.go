package main

import (
	"sync"
	"time"
)

// verifier holds one client's log against the promise: every number of its guild once and in order,
// or a gap that was announced by a connection that was not recovered, and closed by a snapshot.
//
// Its methods may be called by any goroutine; the order of calls is the order in which the client saw things.
type verifier struct {
	guild uint64

	mu        sync.Mutex
	connected bool
	edge      string // where it is connected; empty where that is not known
	awaiting  bool   // a snapshot is owed: the connection was not recovered
	last      int    // number of the newest event or snapshot
	heardAt   time.Time
	heardOn   string // edge
	tally     Tally
}

// Tally is what one client or all of them saw while a fault was under way.
type Tally struct {
	Events       int           // received
	Lost         int           // numbers left out without an announcement
	Duplicated   int           // numbers received again
	Reordered    int           // numbers, or snapshots, older than what had been seen
	Unannounced  int           // runs of numbers left out
	Snapshots    int           // connections that were not recovered
	Recovered    int           // connections that were
	NeverBack    int           // clients that do not have the last number in the end
	LongestPause time.Duration // between two events of a client

	Pauses map[string]time.Duration // likewise, of those who were at an edge all the while, by edge
}

func (t *Tally) add(o Tally) {
	t.Events += o.Events
	t.Lost += o.Lost
	t.Duplicated += o.Duplicated
	t.Reordered += o.Reordered
	t.Unannounced += o.Unannounced
	t.Snapshots += o.Snapshots
	t.Recovered += o.Recovered
	t.NeverBack += o.NeverBack
	t.LongestPause = max(t.LongestPause, o.LongestPause)
	for edge, pause := range o.Pauses {
		t.paused(edge, pause)
	}
}

func (t *Tally) paused(edge string, pause time.Duration) {
	if t.Pauses == nil {
		t.Pauses = make(map[string]time.Duration)
	}
	t.Pauses[edge] = max(t.Pauses[edge], pause)
}

// elsewhere is the longest pause of those who were at other edges all the while.
func (t *Tally) elsewhere(than string) (longest time.Duration) {
	for edge, pause := range t.Pauses {
		if edge != than {
			longest = max(longest, pause)
		}
	}
	return longest
}

// broken says whether the promise was not kept.
func (t *Tally) broken() bool {
	return t.Lost+t.Duplicated+t.Reordered+t.Unannounced+t.NeverBack > 0
}

// connect notes that the client is in its namespace; edge may be unknown.
func (v *verifier) connect(recovered bool, edge string) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.connected, v.edge = true, edge
	v.awaiting = !recovered
	if recovered {
		v.tally.Recovered++
	} else {
		v.tally.Snapshots++
	}
}

// disconnect notes that the client has lost its connection.
func (v *verifier) disconnect() {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.connected, v.edge = false, ""
}

// snapshot notes a handshake that holds the number of the newest event.
func (v *verifier) snapshot(number int) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.hear()
	v.awaiting = false
	if number < v.last {
		v.tally.Reordered++
	}
	v.last = number
}

// event notes a numbered event.
func (v *verifier) event(number int) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.hear()
	v.tally.Events++
	switch {
	case v.awaiting: // an event before the snapshot that its connection owes
		v.tally.Unannounced++
		v.awaiting = false
	case number == v.last:
		v.tally.Duplicated++
		return
	case number < v.last:
		v.tally.Reordered++
		return
	case number > v.last+1:
		v.tally.Unannounced++
		v.tally.Lost += number - v.last - 1
	}
	v.last = number
}

// hear measures pauses. The lock is held.
func (v *verifier) hear() {
	now := time.Now()
	if !v.heardAt.IsZero() {
		pause := now.Sub(v.heardAt)
		v.tally.LongestPause = max(v.tally.LongestPause, pause)
		if v.edge != "" && v.edge == v.heardOn {
			v.tally.paused(v.edge, pause)
		}
	}
	v.heardAt, v.heardOn = now, v.edge
}

// has says whether the client is connected and has seen the number.
func (v *verifier) has(number int) bool {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.connected && !v.awaiting && v.last >= number
}

// take returns what was counted since the last call, and begins anew.
func (v *verifier) take() Tally {
	v.mu.Lock()
	defer v.mu.Unlock()
	t := v.tally
	v.tally = Tally{}
	return t
}
