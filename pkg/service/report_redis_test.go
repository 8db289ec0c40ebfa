package service

import (
	"context"
	"log/slog"
	"regexp"
	"testing"

	"github.com/pona-realtime/pona/pkg/adapter/redistest"
	"github.com/pona-realtime/pona/pkg/health"
)

func TestRedisTellsItsVersion(t *testing.T) {
	var none *Redis
	if got := none.Version(t.Context()); got != "" {
		t.Errorf("no Redis is %q", got)
	}
	server := redistest.Start(t)
	r, err := NewRedis(RedisSettings{Redis: "redis://" + server.Addr()}, health.New().Condition("redis"), nil, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	defer r.Client.Close() //nolint:errcheck // ends with the test
	if got := r.Version(t.Context()); !regexp.MustCompile(`^(valkey )?\d+\.\d+\.\d+$`).MatchString(got) {
		t.Errorf("Redis is %q", got)
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if got := r.Version(ended); got != "" {
		t.Errorf("nobody waits for %q", got)
	}
}
