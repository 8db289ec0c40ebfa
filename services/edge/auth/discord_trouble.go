package auth

import (
	"log/slog"
	"sync/atomic"
)

// trouble logs once when upstream begins to fail and once when it answers again.
type trouble struct {
	log   *slog.Logger
	going atomic.Bool
}

func (t *trouble) began(cause error) {
	if t.going.CompareAndSwap(false, true) {
		t.log.Warn("Discord does not answer as it should; users not yet known are told to come back", "cause", cause)
	}
}

func (t *trouble) ended() {
	if t.going.Load() && t.going.CompareAndSwap(true, false) {
		t.log.Info("Discord answers again")
	}
}
