package engineio

import (
	"runtime"
	"sync/atomic"
	"time"
)

// Turns keep a processor free for whoever asks for little. Without them all that has arrived from all clients
// queues in the scheduler, first come first served, and a client with one small message waits for everybody
// who sends many, or large ones, or opens connections as fast as it can. What takes a turn:
//
//   - heavy: computing over a message of more than lightMessage (inflating, checking, the receiver's
//     parsing), over as many bytes of frames that make no message, and handling each message of a connection
//     beyond lightMessages within lightTime;
//   - requests: a handshake, a refusal, the beginning of a poll or POST.
//
// A turn is never held while waiting for a client, and for longestTurn at most while a receiver or a hook
// does what may wait, or a client sends frames that make no message. Nobody is refused for want of a turn; turns are given in the order in which they were
// asked for.
type turns chan struct{} // taken by sending, given back by receiving

const (
	lightMessages = 2
	lightTime     = 10 * time.Millisecond
	longestTurn   = time.Millisecond
)

func newTurns() turns { return make(turns, max(runtime.GOMAXPROCS(0)-1, 1)) }

// turn is one reader's.
type turn struct {
	of    turns
	held  atomic.Bool
	taken time.Duration // when, since epoch
	end   *time.Timer   // limit's; nil until that has been called
}

func (t *turn) take() {
	if !t.held.Load() {
		t.of <- struct{}{}
		t.held.Store(true)
		t.taken = time.Since(epoch)
	}
}

// over tells whether a turn that is held has been for long enough.
func (t *turn) over() bool { return time.Since(epoch)-t.taken >= longestTurn }

// epoch is a moment of the past: a time since then takes a third of the room.
var epoch = time.Now()

// limit lets a turn that is held end by itself, if it is not given back before. (Should the one before end
// at that very moment, it takes this one along: somebody computes beside the others for once.)
func (t *turn) limit() {
	switch {
	case !t.held.Load():
	case t.end == nil:
		t.end = time.AfterFunc(longestTurn, t.release)
	default:
		t.end.Reset(longestTurn)
	}
}

func (t *turn) giveBack() {
	if t.held.Load() && t.end != nil {
		t.end.Stop()
	}
	t.release()
}

func (t *turn) release() {
	if t.held.CompareAndSwap(true, false) {
		<-t.of
	}
}

// Parsed tells that a message that is being received has been taken apart: what follows may wait, and other
// sessions' large messages go on meanwhile. To be called during ReceiveMessage, or left out.
func (m Message) Parsed() {
	if m.turn != nil {
		m.turn.limit()
	}
}

// pace counts what a connection sends. The zero value has counted nothing.
type pace struct {
	since time.Duration // since the server's start
	count int
}

// busy counts a message, and says whether it needs a turn.
func (p *pace) busy(now time.Duration) bool {
	if now-p.since >= lightTime {
		p.since, p.count = now, 0
	}
	p.count++
	return p.count > lightMessages
}
