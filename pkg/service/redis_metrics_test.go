package service

import (
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/redis/go-redis/v9"

	"github.com/pona-realtime/pona/pkg/adapter/redistest"
	"github.com/pona-realtime/pona/pkg/metrics"
)

// TestRedisTimeoutsAreCounted has a real redis-server answer one request, and not answer another in time.
func TestRedisTimeoutsAreCounted(t *testing.T) {
	registry := prometheus.NewRegistry()
	client := redis.NewClient(&redis.Options{Addr: redistest.Start(t).Addr(), ReadTimeout: 100 * time.Millisecond, MaxRetries: -1})
	defer client.Close() //nolint:errcheck // nothing is under way
	client.AddHook(newRedisMeasured(registry))
	outcomes := func() map[string]float64 { return metrics.Read(registry).By("outcome", "pona_redis_requests_total") }

	if err := client.Get(t.Context(), "nothing").Err(); err != redis.Nil {
		t.Fatal(err)
	}
	before := outcomes()
	if before["ok"] == 0 || before["timeout"] != 0 {
		t.Errorf("after an answer: %v", before)
	}
	if err := client.Do(t.Context(), "BLPOP", "nothing", 0).Err(); err == nil {
		t.Error("Redis answered what it should wait for")
	}
	if after := outcomes(); after["timeout"] != 1 {
		t.Errorf("after one that did not come: %v, before %v", after, before)
	}
}
