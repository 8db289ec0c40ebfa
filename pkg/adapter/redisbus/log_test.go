package redisbus

import (
	"context"
	"log/slog"
	"slices"
	"sync"
	"testing"
)

// lineLog keeps the messages that a bus logs.
type lineLog struct {
	mu    sync.Mutex
	lines []string
}

func (l *lineLog) logger() *slog.Logger { return slog.New(logHandler{slog.DiscardHandler, l}) }

// want compares all that was logged.
func (l *lineLog) want(t *testing.T, lines ...string) {
	t.Helper()
	l.mu.Lock()
	defer l.mu.Unlock()
	if !slices.Equal(l.lines, lines) {
		t.Errorf("logged %q, want %q", l.lines, lines)
	}
}

type logHandler struct {
	slog.Handler
	to *lineLog
}

func (logHandler) Enabled(context.Context, slog.Level) bool { return true }

func (h logHandler) Handle(_ context.Context, r slog.Record) error {
	h.to.mu.Lock()
	defer h.to.mu.Unlock()
	h.to.lines = append(h.to.lines, r.Message)
	return nil
}
