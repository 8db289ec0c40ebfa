package service

import (
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/redis/go-redis/v9"

	"github.com/pona-realtime/pona/pkg/adapter/redistest"
)

// TestRedisTimeoutsAreCounted has a real redis-server answer one request, and not answer another in time.
func TestRedisTimeoutsAreCounted(t *testing.T) {
	measured := newRedisMeasured(prometheus.NewRegistry())
	client := redis.NewClient(&redis.Options{Addr: redistest.Start(t).Addr(), ReadTimeout: 100 * time.Millisecond, MaxRetries: -1})
	defer client.Close() //nolint:errcheck // nothing is under way
	client.AddHook(measured)
	count := func(outcome string) float64 { return testutil.ToFloat64(measured.requests.WithLabelValues(outcome)) }

	if err := client.Get(t.Context(), "nothing").Err(); err != redis.Nil {
		t.Fatal(err)
	}
	if answered, late := count("ok"), count("timeout"); answered == 0 || late != 0 {
		t.Errorf("after an answer: %v ok, %v late", answered, late)
	}
	if err := client.Do(t.Context(), "BLPOP", "nothing", 0).Err(); err == nil {
		t.Error("Redis answered what it should wait for")
	}
	if late := count("timeout"); late != 1 {
		t.Errorf("after one that did not come: %v late", late)
	}
}
