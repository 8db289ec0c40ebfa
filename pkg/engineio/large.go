package engineio

import (
	"bytes"
	"errors"
	"io"
	"runtime"
	"sync/atomic"
)

// lightMessage is the size up to which a message is received without further ado. Beyond it
//
//   - what computes over it (inflating, checking, the receiver's parsing) takes a turn: large messages have
//     half of the processors at most, and whoever sends small ones waits for none of them;
//   - it counts as intake until it has been handled: all sessions together hold so much, and no more.
const lightMessage = 64 << 10

var errBusy = errors.New("engineio: too many large messages at the same time")

// turns are taken by sending, and given back by receiving.
type turns chan struct{}

func newTurns() turns { return make(turns, max(runtime.GOMAXPROCS(0)/2, 1)) }

// turn is one reader's. It is never held while waiting for the client.
type turn struct {
	of   turns
	held bool
}

func (t *turn) take() {
	if !t.held {
		t.of <- struct{}{}
		t.held = true
	}
}

func (t *turn) giveBack() {
	if t.held {
		<-t.of
		t.held = false
	}
}

// Parsed tells that a message that is being received has been taken apart: what follows may wait, and other
// sessions' large messages go on meanwhile. To be called during ReceiveMessage, or left out.
func (m Message) Parsed() {
	if m.turn != nil {
		m.turn.giveBack()
	}
}

// intake counts the bytes of large messages that arrive or are being handled.
type intake struct {
	held  atomic.Int64
	bound int64
}

// reserve is false where the bound is reached.
func (i *intake) reserve(n int64) bool {
	if i.held.Add(n) > i.bound {
		i.held.Add(-n)
		return false
	}
	return true
}

// readAll reads r to its end, at most limit bytes and one, into buf. begin is called once there is
// more than a light message; reserved must be given back to the intake in any case.
func (i *intake) readAll(buf *bytes.Buffer, r io.Reader, limit int64, begin func()) (reserved int64, err error) {
	chunk := min(lightMessage, limit+1)
	n, err := buf.ReadFrom(io.LimitReader(r, chunk))
	if err != nil || n < chunk || n > limit {
		return 0, err
	}
	begin()
	for n == chunk && int64(buf.Len()) <= limit {
		chunk = min(int64(buf.Len()), limit+1-int64(buf.Len()))
		if !i.reserve(chunk) {
			return reserved, errBusy
		}
		reserved += chunk
		buf.Grow(int(chunk) + bytes.MinRead)
		if n, err = buf.ReadFrom(io.LimitReader(r, chunk)); err != nil {
			return reserved, err
		}
	}
	return reserved, nil
}
