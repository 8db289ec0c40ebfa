// Package source has events emitted that a load generator's clients are to receive: by the server itself,
// which relays them, by Pona's fanout, or over Redis.
package source

import "context"

// Source emits.
type Source interface {
	// Emit has the room's clients receive an event with one argument, a JSON value. It does not wait for them.
	Emit(ctx context.Context, argument string) error
	// Close waits for what is under way. Its error is that of what was emitted and not taken.
	Close() error
}

// Options are what every source needs to know.
type Options struct {
	Event     string // name of the event that clients receive
	Namespace string
	Room      string // empty: every client of the namespace
}
