package auth

import (
	"context"
	"net/http"
	"strconv"
	"sync"
	"time"
)

// lane paces the calls of one bucket: never more under way than Discord has said are left, and one while
// it has said nothing.
type lane struct {
	mu      sync.Mutex
	flying  int
	left    int           // calls left until reset, as far as known
	reset   time.Time     // zero while nothing is known
	changed chan struct{} // closed and made anew when one may enter
}

func newLane() *lane { return &lane{changed: make(chan struct{})} }

// enter takes a place; without one it tells for how long to wait, 0 for no idea, and what to wait for.
func (l *lane) enter(now time.Time) (ok bool, wait time.Duration, changed <-chan struct{}) {
	l.mu.Lock()
	defer l.mu.Unlock()
	known := now.Before(l.reset)
	switch {
	case l.flying == 0 && !known, known && l.flying < l.left:
		l.flying++
		return true, 0, nil
	case known && l.left == 0:
		wait = l.reset.Sub(now)
	}
	return false, wait, l.changed
}

func (l *lane) leave() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.flying--
	close(l.changed)
	l.changed = make(chan struct{})
}

// read takes what the headers of an answer say is left; nothing where they say nothing.
func (l *lane) read(header http.Header, now time.Time) {
	left, err := strconv.Atoi(header.Get("X-RateLimit-Remaining"))
	after, afterErr := strconv.ParseFloat(header.Get("X-RateLimit-Reset-After"), 64)
	if err != nil || afterErr != nil || left < 0 || !(after >= 0 && after <= maxRetry.Seconds()) {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	reset := now.Add(time.Duration(after * float64(time.Second)))
	if now.Before(l.reset) { // answers may overtake each other: the least is the last
		left = min(left, l.left)
		if reset.Before(l.reset) {
			reset = l.reset
		}
	}
	l.left, l.reset = left, reset
}

// enter waits for the bucket's turn, at most patience. leave must follow. The error is an *Unavailable or
// ctx's.
func (l *limits) enter(ctx context.Context, b bucket, patience time.Duration) (leave func(), err error) {
	deadline := time.Now().Add(patience)
	lane := l.lane(b)
	for {
		now := time.Now()
		wait := l.wait(b)
		var changed <-chan struct{}
		if wait == 0 {
			var ok bool
			if ok, wait, changed = lane.enter(now); ok {
				return lane.leave, nil
			}
		}
		if left := deadline.Sub(now); left <= 0 || wait > left {
			return nil, &Unavailable{RetryAfter: max(wait, time.Second), Cause: errLimited}
		} else if wait == 0 {
			wait = left
		}
		timer := time.NewTimer(wait)
		select {
		case <-timer.C:
		case <-changed:
		case <-ctx.Done():
			timer.Stop()
			return nil, ctx.Err()
		}
		timer.Stop()
	}
}
