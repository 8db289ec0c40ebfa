package service

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"testing"
	"testing/synctest"
	"time"
)

func TestStopTakesEveryStepInOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var taken []string
		never := make(chan struct{})
		began := time.Now()
		stopping := Stopping{Log: slog.New(slog.DiscardHandler), Grace: 10 * time.Second}
		stopping.Step("readiness", func(context.Context) error { taken = append(taken, "readiness"); return nil })
		stopping.Step("sessions", func(ctx context.Context) error {
			taken = append(taken, "sessions")
			return Within(ctx, func() { <-never })
		})
		stopping.Step("Redis", func(context.Context) error { taken = append(taken, "Redis"); return errors.New("gone") })
		stopping.Step("admin", func(ctx context.Context) error {
			taken = append(taken, "admin")
			return Within(ctx, func() { time.Sleep(9 * time.Second) })
		})
		close(never)
		err := stopping.Err()
		if want := []string{"readiness", "sessions", "Redis", "admin"}; !slices.Equal(taken, want) {
			t.Errorf("took %v, want %v", taken, want)
		}
		if want := "stopping sessions: context deadline exceeded\nstopping Redis: gone"; err == nil || err.Error() != want {
			t.Errorf("%v, want %s", err, want)
		}
		if took := time.Since(began); took != 19*time.Second {
			t.Errorf("took %s", took)
		}
	})
}
