package app

import (
	"context"
	"log/slog"
	"time"

	"github.com/cenkalti/backoff/v5"
	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/logging"

	"github.com/pona-realtime/pona/pkg/health"
)

// redisPulse is the time between two pings while Redis answers.
const redisPulse = 5 * time.Second

// redisWatch keeps an eye on Redis, which coordinates edges and bots' servers. No event passes
// through it, so a fanout only says that it is not ready while it is away.
type redisWatch struct {
	client    *redis.Client
	condition *health.Condition
	changed   func() // told when the condition has come up
	log       *slog.Logger
}

func newRedisWatch(url string, condition *health.Condition, changed func(), log *slog.Logger) (*redisWatch, error) {
	options, err := redis.ParseURL(url)
	if err != nil {
		return nil, err
	}
	options.DialerRetries = 1 // watch tries again by itself
	logging.Disable()         // for the whole process: go-redis also returns what it logs
	return &redisWatch{redis.NewClient(options), condition, changed, log.With("redis", options.Addr)}, nil
}

// watch pings until ctx ends, and says when Redis comes and goes.
func (r *redisWatch) watch(ctx context.Context) {
	retry := backoff.NewExponentialBackOff()
	retry.InitialInterval, retry.MaxInterval = 100*time.Millisecond, redisPulse
	up, said := false, false
	for {
		next := redisPulse
		err := r.client.Ping(ctx).Err()
		switch {
		case ctx.Err() != nil:
			return
		case err != nil:
			if up || !said {
				r.condition.Down(err.Error())
				r.log.Warn("Redis not reachable, trying again", "error", err)
			}
			up, said, next = false, true, retry.NextBackOff()
		case !up:
			up = true
			retry.Reset()
			r.log.Info("Redis connected")
			r.condition.Up()
			r.changed()
		}
		timer := time.NewTimer(next)
		select {
		case <-ctx.Done():
			timer.Stop()
			return
		case <-timer.C:
		}
	}
}
