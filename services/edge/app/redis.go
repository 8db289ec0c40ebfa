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

const redisPulse = 5 * time.Second // between two pings; a failed one is repeated sooner

// redisWatch is the connection to the cluster's Redis. An edge is not ready before it has been
// connected once; after that it serves without, for no event needs Redis.
type redisWatch struct {
	client    *redis.Client
	condition *health.Condition
	up        func() // told when the condition has come up
	log       *slog.Logger
}

func newRedisWatch(url string, condition *health.Condition, up func(), log *slog.Logger) (*redisWatch, error) {
	options, err := redis.ParseURL(url)
	if err != nil {
		return nil, err
	}
	options.DialerRetries = 1 // run tries again by itself
	logging.Disable()         // for the whole process: go-redis also returns what it logs
	return &redisWatch{client: redis.NewClient(options), condition: condition, up: up, log: log}, nil
}

// run pings until ctx ends, and logs when Redis comes and goes.
func (r *redisWatch) run(ctx context.Context) {
	retry := backoff.NewExponentialBackOff()
	retry.InitialInterval, retry.MaxInterval = 100*time.Millisecond, redisPulse
	log := r.log.With("address", r.client.Options().Addr)
	for known, was := false, false; ; known = true {
		err := r.client.Ping(ctx).Err()
		if ctx.Err() != nil {
			return
		}
		pause := redisPulse
		switch is := err == nil; {
		case is && !was:
			log.Info("Redis connected")
			retry.Reset()
			r.condition.Up()
			r.up()
			was = true
		case !is:
			if was || !known {
				log.Warn("Redis not reachable, trying again", "error", err)
			}
			pause, was = retry.NextBackOff(), false
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(pause):
		}
	}
}
