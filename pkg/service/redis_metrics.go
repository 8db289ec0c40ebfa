package service

import (
	"context"
	"errors"
	"net"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"
	"github.com/redis/go-redis/v9"
)

// redisMeasured counts what a client asks of Redis; it is a hook of go-redis.
type redisMeasured struct {
	took     prometheus.Histogram
	requests *prometheus.CounterVec
}

func newRedisMeasured(in prometheus.Registerer) redisMeasured {
	m := redisMeasured{
		took: promauto.With(in).NewHistogram(prometheus.HistogramOpts{
			Name: "pona_redis_request_duration_seconds", Help: "Time Redis took to answer.",
			Buckets: []float64{.0005, .001, .005, .025, .1, .5, 1, 5},
		}),
		requests: promauto.With(in).NewCounterVec(prometheus.CounterOpts{
			Name: "pona_redis_requests_total", Help: "Requests to Redis, each of a pipeline.",
		}, []string{"outcome"}),
	}
	for _, outcome := range []string{"ok", "timeout", "error"} {
		m.requests.WithLabelValues(outcome)
	}
	return m
}

func (m redisMeasured) count(began time.Time, commands int, err error) {
	m.took.Observe(time.Since(began).Seconds())
	outcome := "ok"
	var trouble net.Error
	switch {
	case err == nil, errors.Is(err, redis.Nil):
	case errors.Is(err, context.DeadlineExceeded), errors.As(err, &trouble) && trouble.Timeout():
		outcome = "timeout"
	default:
		outcome = "error"
	}
	m.requests.WithLabelValues(outcome).Add(float64(commands))
}

func (m redisMeasured) DialHook(next redis.DialHook) redis.DialHook { return next }

func (m redisMeasured) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, command redis.Cmder) error {
		began := time.Now()
		err := next(ctx, command)
		m.count(began, 1, err)
		return err
	}
}

func (m redisMeasured) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return func(ctx context.Context, commands []redis.Cmder) error {
		began := time.Now()
		err := next(ctx, commands)
		m.count(began, len(commands), err)
		return err
	}
}
