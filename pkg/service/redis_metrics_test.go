package service

import (
	"log/slog"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/redis/go-redis/v9"

	"github.com/pona-realtime/pona/pkg/adapter/redistest"
	"github.com/pona-realtime/pona/pkg/health"
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

// TestConnectingToRedisIsNoError connects as a service does. go-redis greets with more than every Redis
// knows, unless it is told not to, and what Redis refuses would be counted.
func TestConnectingToRedisIsNoError(t *testing.T) {
	cluster := redistest.Start(t, "--cluster-enabled", "yes")
	operator := redis.NewClient(&redis.Options{Addr: cluster.Addr()})
	defer operator.Close() //nolint:errcheck // nothing is under way
	if err := operator.ClusterAddSlotsRange(t.Context(), 0, 16383).Err(); err != nil {
		t.Fatal(err)
	}
	for mode, address := range map[string]string{"single": redistest.Start(t).Addr(), "cluster": cluster.Addr()} {
		metrics := prometheus.NewRegistry()
		r, err := NewRedis(RedisSettings{Redis: "redis://" + address, RedisMode: mode}, health.New().Condition("redis"), metrics, slog.New(slog.DiscardHandler))
		if err != nil {
			t.Fatal(err)
		}
		if err := r.Client.Ping(t.Context()).Err(); err != nil {
			t.Error(err)
		}
		ok, failed := counted(t, metrics, "pona_redis_requests_total", "ok"), counted(t, metrics, "pona_redis_requests_total", "error")
		if ok == 0 || failed != 0 {
			t.Errorf("%s: %v answered, %v refused", mode, ok, failed)
		}
		if err := r.Client.Close(); err != nil {
			t.Error(err)
		}
	}
}

// counted adds up a counter or gauge, of one outcome or of all where that is empty.
func counted(t *testing.T, metrics prometheus.Gatherer, name, outcome string) (sum float64) {
	t.Helper()
	families, err := metrics.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, family := range families {
		for _, m := range family.GetMetric() {
			if family.GetName() == name && (outcome == "" || m.GetLabel()[0].GetValue() == outcome) {
				sum += m.GetCounter().GetValue() + m.GetGauge().GetValue()
			}
		}
	}
	return sum
}
