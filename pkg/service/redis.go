package service

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
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
	Client    redis.UniversalClient
	connect   func(retries int) redis.UniversalClient // makes one more client
	condition *health.Condition
	log       *slog.Logger
}

// NewRedis prepares a client for the URL; it dials nothing yet. The mode is single, sentinel or cluster;
// empty means single. Metrics may be nil.
func NewRedis(url, mode string, condition *health.Condition, metrics prometheus.Registerer, log *slog.Logger) (*Redis, error) {
	connect, address, err := redisConnector(url, mode)
	if err != nil {
		return nil, err
	}
	logging.Disable() // for the whole process: go-redis also returns what it logs
	measured := newRedisMeasured(metrics)
	r := &Redis{condition: condition, log: log.With("redis", address)}
	r.connect = func(retries int) redis.UniversalClient {
		client := connect(retries)
		client.AddHook(measured)
		return client
	}
	r.Client = r.connect(0)
	return r, nil
}

// redisConnector reads the URL as go-redis does for each mode: further addresses and the master's name
// stand in its query, as addr and master_name. Retries of commands are go-redis' own, 0 its default.
func redisConnector(url, mode string) (connect func(retries int) redis.UniversalClient, address string, err error) {
	switch mode {
	case "", "single":
		options, err := redis.ParseURL(url)
		if err != nil {
			return nil, "", err
		}
		return func(retries int) redis.UniversalClient {
			o := *options
			o.DialerRetries, o.MaxRetries = 1, retries // Watch tries again by itself
			return redis.NewClient(&o)
		}, options.Addr, nil
	case "sentinel":
		options, err := redis.ParseFailoverURL(url)
		if err != nil {
			return nil, "", err
		}
		if options.MasterName == "" {
			return nil, "", errors.New("needs ?master_name=NAME with redis-mode sentinel")
		}
		return func(retries int) redis.UniversalClient {
			o := *options
			o.DialerRetries, o.MaxRetries = 1, retries
			return redis.NewFailoverClient(&o)
		}, options.MasterName + " of " + strings.Join(options.SentinelAddrs, ","), nil
	case "cluster":
		options, err := redis.ParseClusterURL(url)
		if err != nil {
			return nil, "", err
		}
		return func(retries int) redis.UniversalClient {
			o := *options
			o.DialerRetries, o.MaxRetries = 1, retries
			return redis.NewClusterClient(&o)
		}, strings.Join(options.Addrs, ","), nil
	}
	return nil, "", fmt.Errorf("mode %q, must be single, sentinel or cluster", mode)
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
