package main

import (
	"fmt"
	"strings"
	"sync"
	"time"
)

// verifier holds one client's log against the promise: every number of its guild once and in order,
// or a gap that was announced by a connection that was not recovered, and closed by a snapshot.
//
// Its methods may be called by any goroutine; the order of calls is the order in which the client saw things.
type verifier struct {
	name  string // of the client, for evidence
	guild uint64

	mu        sync.Mutex
	connected bool
	edge      string // where it is connected; empty where that is not known
	awaiting  bool   // a snapshot is owed: the connection was not recovered
	last      int    // number of the newest event or snapshot
	heardAt   time.Time
	heardOn   string // edge
	tally     Tally
	trail     []string // what it saw last
}

// trailLength is how much of what a client saw last is evidence, and maxEvidence how much of that is kept.
const (
	trailLength = 24
	maxEvidence = 5
)

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

	Evidence []string // of the first violations: what the client had seen
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
	t.Evidence = append(t.Evidence, o.Evidence...)
	t.Evidence = t.Evidence[:min(len(t.Evidence), maxEvidence)]
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
	v.saw("%s connected to %s, recovered %v", time.Now().Format("05.000"), edge, recovered)
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
	v.saw("%s lost", time.Now().Format("05.000"))
}

// snapshot notes a handshake that holds the number of the newest event.
func (v *verifier) snapshot(number int) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.hear()
	v.awaiting = false
	v.saw("snapshot %d", number)
	if number < v.last {
		v.tally.Reordered++
		v.testify()
	}
	v.last = number
}

// event notes a numbered event.
func (v *verifier) event(number int) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.hear()
	v.tally.Events++
	v.saw("%d", number)
	switch {
	case v.awaiting: // an event before the snapshot that its connection owes
		v.tally.Unannounced++
		v.awaiting = false
	case number == v.last:
		v.tally.Duplicated++
	case number < v.last:
		v.tally.Reordered++
	case number > v.last+1:
		v.tally.Unannounced++
		v.tally.Lost += number - v.last - 1
	default:
		v.last = number
		return
	}
	v.testify()
	v.last = max(v.last, number)
}

// saw notes evidence. The lock is held.
func (v *verifier) saw(format string, args ...any) {
	v.trail = append(v.trail, fmt.Sprintf(format, args...))
	v.trail = v.trail[max(0, len(v.trail)-trailLength):]
}

// testify keeps what the client saw up to a violation. The lock is held.
func (v *verifier) testify() {
	if len(v.tally.Evidence) < maxEvidence {
		v.tally.Evidence = append(v.tally.Evidence, fmt.Sprintf("%s of guild %d saw: %s", v.name, v.guild, strings.Join(v.trail, ", ")))
	}
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
