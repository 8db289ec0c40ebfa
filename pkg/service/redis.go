package service

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/cenkalti/backoff/v5"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/logging"
	"github.com/redis/go-redis/v9/maintnotifications"

	"github.com/pona-realtime/pona/pkg/health"
)

// redisPulse is the time between two pings while Redis answers; a failed one is repeated sooner.
const redisPulse = 5 * time.Second

// redisDial bounds connecting to Redis over TLS; it is what go-redis takes without.
const redisDial = 5 * time.Second

// Redis is the connection to the cluster's Redis, and a watch over it. A service is not ready before
// it has been connected once. After that it serves without: no event needs Redis, and if every service
// were unready at once, those who balance load would take a working cluster away.
type Redis struct {
	Client    redis.UniversalClient
	connect   func(retries int) redis.UniversalClient // makes one more client
	condition *health.Condition
	log       *slog.Logger
}

// RedisSettings say where a service finds Redis; they are embedded in its own.
type RedisSettings struct {
	Redis     string `name:"redis-url" secret:"" unit:"redis://user:password@host:port/db" group:"Redis" help:"Redis of the cluster; with TLS where it begins with rediss://. Empty: none."`
	RedisMode string `default:"single" enum:"single,sentinel,cluster" group:"Redis" help:"What redis-url names: one server; Sentinels (and their user and password), with ?master_name=NAME, Redis' own &username=USER&password=PASSWORD, and more Sentinels as &addr=host:port; or nodes of a Redis Cluster, more of them as ?addr=host:port."`
	RedisCA   string `name:"redis-ca" unit:"path" group:"Redis" help:"Authorities (PEM) that Redis' certificate must be from. Empty: the system's."`
	RedisCert string `name:"redis-cert" unit:"path" group:"Redis" help:"Certificate to show to Redis (PEM)."`
	RedisKey  string `name:"redis-key" unit:"path" group:"Redis" help:"Its key (PEM)."`
	RedisName string `name:"redis-name" unit:"host" group:"Redis" help:"Name that Redis' certificate must hold. Empty: the address that is dialled, of each server its own."`
}

// NewRedis prepares a client; it dials nothing yet. Metrics may be nil. The error names the setting.
func NewRedis(s RedisSettings, condition *health.Condition, metrics prometheus.Registerer, log *slog.Logger) (*Redis, error) {
	connect, address, err := s.connector(log)
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

// connector reads the URL as go-redis does for each mode: further addresses and the master's name
// stand in its query, as addr and master_name. Retries of commands are go-redis' own, 0 its default.
// go-redis greets by naming itself, and asks for notices that one vendor's hosted Redis sends. Others refuse
// that, which would count as an error at every connection, so it does neither. It heeds a context's deadline only when told to.
func (s RedisSettings) connector(log *slog.Logger) (connect func(retries int) redis.UniversalClient, address string, err error) {
	fail := func(err error) (func(int) redis.UniversalClient, string, error) {
		if wrong := (*url.Error)(nil); errors.As(err, &wrong) { // shows it, password and all
			err = errors.New("is no URL; what is special to one (such as @ / % in a password) must be escaped (%40 %2F %25)")
		}
		return nil, "", fmt.Errorf("redis-url: %w", err)
	}
	switch s.RedisMode {
	case "", "single":
		options, err := redis.ParseURL(s.Redis)
		if err != nil {
			return fail(err)
		}
		options.DisableIdentity, options.ContextTimeoutEnabled = true, true
		options.MaintNotificationsConfig = &maintnotifications.Config{Mode: maintnotifications.ModeDisabled}
		connect, address = func(retries int) redis.UniversalClient {
			o := *options
			o.DialerRetries, o.MaxRetries = 1, retries // Watch tries again by itself
			return redis.NewClient(&o)
		}, options.Addr
		options.Dialer, err = s.dialer(options.TLSConfig, log)
		return connect, address, err
	case "sentinel":
		options, err := redis.ParseFailoverURL(s.Redis)
		if err != nil {
			return fail(err)
		}
		if options.MasterName == "" {
			return fail(errors.New("needs ?master_name=NAME with redis-mode sentinel"))
		}
		options.DisableIdentity, options.ContextTimeoutEnabled = true, true
		connect, address = func(retries int) redis.UniversalClient {
			o := *options
			o.DialerRetries, o.MaxRetries = 1, retries
			return redis.NewFailoverClient(&o)
		}, options.MasterName+" of "+strings.Join(options.SentinelAddrs, ",")
		options.Dialer, err = s.dialer(options.TLSConfig, log)
		return connect, address, err
	case "cluster":
		options, err := redis.ParseClusterURL(s.Redis)
		if err != nil {
			return fail(err)
		}
		options.DisableIdentity, options.ContextTimeoutEnabled = true, true
		options.MaintNotificationsConfig = &maintnotifications.Config{Mode: maintnotifications.ModeDisabled}
		connect, address = func(retries int) redis.UniversalClient {
			o := *options
			o.DialerRetries, o.MaxRetries = 1, retries
			o.Addrs = slices.Clone(o.Addrs) // a client appends to it the nodes that it finds
			return redis.NewClusterClient(&o)
		}, strings.Join(options.Addrs, ",")
		options.Dialer, err = s.dialer(options.TLSConfig, log)
		return connect, address, err
	}
	return nil, "", fmt.Errorf("redis-mode: %q, must be single, sentinel or cluster", s.RedisMode)
}

// dialer speaks TLS to Redis where the URL says so, by the configuration that go-redis has made of it, and is nil where it
// begins with redis://. go-redis would hold every server's certificate to the URL's host, a master's behind Sentinel to
// Sentinel's, and would not read files again.
func (s RedisSettings) dialer(url *tls.Config, log *slog.Logger) (func(ctx context.Context, network, address string) (net.Conn, error), error) {
	if url == nil {
		if s.RedisCA != "" || s.RedisCert != "" || s.RedisKey != "" || s.RedisName != "" {
			return nil, errors.New("redis-ca, redis-cert, redis-key, redis-name: need a redis-url that begins with rediss://")
		}
		return nil, nil
	}
	next, err := ClientTLS{Setting: "redis", CA: s.RedisCA, Cert: s.RedisCert, Key: s.RedisKey, Name: s.RedisName, System: true, Log: log}.Next()
	if err != nil {
		return nil, err
	}
	return func(ctx context.Context, network, address string) (net.Conn, error) {
		config := next()
		config.InsecureSkipVerify = url.InsecureSkipVerify //nolint:gosec // where the URL says skip_verify
		return (&tls.Dialer{NetDialer: &net.Dialer{Timeout: redisDial}, Config: config}).DialContext(ctx, network, address)
	}, nil
}

// Watch pings until ctx ends, and says when Redis comes and goes.
func (r *Redis) Watch(ctx context.Context) {
	retry := backoff.NewExponentialBackOff()
	retry.InitialInterval, retry.MaxInterval = 100*time.Millisecond, redisPulse
	up, said, once := false, false, false
	for {
		pause := redisPulse
		err := r.Client.Ping(ctx).Err()
		switch {
		case ctx.Err() != nil:
			return
		case err != nil:
			if up || !said {
				r.log.Warn("Redis not reachable, trying again", "error", err)
			}
			if !once {
				r.condition.Down(err.Error())
			}
			up, said, pause = false, true, retry.NextBackOff()
		case !up:
			up, said, once = true, true, true
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
