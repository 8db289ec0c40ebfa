package service

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"
)

// Stopping takes the steps in which a service stops.
type Stopping struct {
	Log    *slog.Logger
	Grace  time.Duration // that each step may take
	failed error
}

// Step stops one thing and returns when that is done; stop must return when its ctx ends. A step that
// fails does not keep the next from being taken.
func (s *Stopping) Step(name string, stop func(ctx context.Context) error) {
	began := time.Now()
	ctx, cancel := context.WithTimeout(context.Background(), s.Grace)
	defer cancel()
	if err := stop(ctx); err != nil {
		s.failed = errors.Join(s.failed, fmt.Errorf("stopping %s: %w", name, err))
	}
	s.Log.Debug("stopped", "step", name, "took", time.Since(began))
}

// Err names each step that failed, nil where none did.
func (s *Stopping) Err() error { return s.failed }

// Within waits for f as long as ctx lasts. Where f takes longer, its goroutine is left behind: a
// process that stops can afford that.
func Within(ctx context.Context, f func()) error {
	done := make(chan struct{})
	go func() { f(); close(done) }()
	select {
	case <-done:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
