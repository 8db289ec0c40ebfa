package service

import (
	"context"
	"log/slog"
	"time"

	"github.com/cenkalti/backoff/v5"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/logging"

	"github.com/pona-realtime/pona/pkg/health"
)

// redisPulse is the time between two pings while Redis answers; a failed one is repeated sooner.
const redisPulse = 5 * time.Second

// Redis is the connection to the cluster's Redis, and a watch over it. A service is not ready before
// it has been connected once. After that it serves without: no event needs Redis, and if every service
// were unready at once, those who balance load would take a working cluster away.
type Redis struct {
	Client    *redis.Client
	condition *health.Condition
	log       *slog.Logger
}

// NewRedis prepares a client for the URL; it dials nothing yet. Metrics may be nil.
func NewRedis(url string, condition *health.Condition, metrics prometheus.Registerer, log *slog.Logger) (*Redis, error) {
	options, err := redis.ParseURL(url)
	if err != nil {
		return nil, err
	}
	options.DialerRetries = 1 // Watch tries again by itself
	logging.Disable()         // for the whole process: go-redis also returns what it logs
	client := redis.NewClient(options)
	client.AddHook(newRedisMeasured(metrics))
	return &Redis{client, condition, log.With("redis", options.Addr)}, nil
}

// Watch pings until ctx ends, and says when Redis comes and goes.
func (r *Redis) Watch(ctx context.Context) {
	retry := backoff.NewExponentialBackOff()
	retry.InitialInterval, retry.MaxInterval = 100*time.Millisecond, redisPulse
	up, said := false, false
	for {
		pause := redisPulse
		err := r.Client.Ping(ctx).Err()
		switch {
		case ctx.Err() != nil:
			return
		case err != nil:
			if up || !said {
				r.log.Warn("Redis not reachable, trying again", "error", err)
				if !said {
					r.condition.Down(err.Error())
				}
			}
			up, said, pause = false, true, retry.NextBackOff()
		case !up:
			up, said = true, true
			retry.Reset()
			r.log.Info("Redis connected")
			r.condition.Up()
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(pause):
		}
	}
}
