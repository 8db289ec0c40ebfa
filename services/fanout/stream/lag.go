package stream

import (
	"context"
	"sync"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

// askLag is how often NATS is asked what is stored for the partitions that are followed. Messages say it too, but
// none come when reading stands still. A request that comes alone costs both ends 0.7 ms of CPU, more than half of it
// for waking up, which an idle fanout would notice each second.
const askLag = 3 * time.Second

// Lag is how far the partitions that are followed are behind the stream; zero where none is.
type Lag struct {
	// Events are stored and not handled, as far as known.
	Events uint64
	// Time is since it was last known that all events stored by then had been handled, counted from the first
	// follower on. It grows whenever reading stands still, for whatever reason, NATS' silence among them.
	Time time.Duration
}

// Lag may be asked for while a handler runs.
func (s *Stream) Lag() Lag { return s.reader.lag.now() }

// lag is what a reader knows of its own. Its lock is never held for long, unlike the reader's.
type lag struct {
	mu      sync.Mutex
	reading bool
	handled uint64    // by the consumer at work, in its own count
	stored  uint64    // for it, in the same count
	asked   time.Time // when that was asked for; zero for not yet
	known   time.Time // what was stored until then has been handled
}

func (l *lag) now() Lag {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.reading {
		return Lag{}
	}
	return Lag{Events: l.stored - min(l.handled, l.stored), Time: max(time.Since(l.known), 0)}
}

// begin is called before each consumer is made. What was known stays until something is known of the new one, which
// may read partitions that are far behind.
func (l *lag) begin() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.reading {
		l.reading, l.handled, l.stored, l.known = true, 0, 0, time.Now()
	}
	l.stored -= min(l.handled, l.stored)
	l.handled, l.asked = 0, time.Time{}
}

// rest is called when nobody follows.
func (l *lag) rest() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.reading = false
}

// came notes the consumer's n-th message, which said that there were so many more.
func (l *lag) came(n, more uint64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.stored = max(l.stored, n+more)
}

// did notes that the consumer's n-th message has been handled. By NATS' clock it may have been stored in the future.
func (l *lag) did(n uint64, storedAt time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.handled = n
	if now := time.Now(); storedAt.After(now) {
		storedAt = now
	}
	if storedAt.After(l.known) {
		l.known = storedAt
	}
	l.reach()
}

// told notes how many messages NATS has for the consumer, those that it has sent among them.
func (l *lag) told(stored uint64, asked time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.stored, l.asked = max(stored, l.handled), asked
	l.reach()
}

func (l *lag) reach() {
	if l.handled >= l.stored && l.asked.After(l.known) {
		l.known = l.asked
	}
}

// watch asks NATS about a consumer until ctx ends. Where it does not answer, what was known remains.
func (l *lag) watch(ctx context.Context, consumer jetstream.Consumer) {
	tick := time.NewTicker(askLag)
	defer tick.Stop()
	for {
		asked := time.Now()
		if info, err := consumer.Info(ctx); err == nil && ctx.Err() == nil {
			l.told(info.Delivered.Consumer+info.NumPending, asked)
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}
