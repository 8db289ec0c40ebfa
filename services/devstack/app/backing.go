package app

import (
	"context"
	"log/slog"

	"github.com/pona-realtime/pona/services/devstack/natsserver"
	"github.com/pona-realtime/pona/services/devstack/redisserver"
)

// startNATS runs a NATS server unless one was given, and returns its URL.
func (a *App) startNATS() (string, error) {
	if a.settings.NATS != "" {
		a.log.Info("NATS is given", slog.String("url", a.settings.NATS))
		return a.settings.NATS, nil
	}
	s, err := natsserver.Start(a.settings.Data)
	if err != nil {
		return "", err
	}
	a.parts.add("NATS", s.Stop)
	a.log.Info("NATS runs, embedded, with JetStream", slog.String("url", s.URL()))
	return s.URL(), nil
}

// startRedis runs a Redis unless one was given, and returns its address.
func (a *App) startRedis(ctx context.Context) (string, error) {
	if a.settings.Redis != "" {
		a.log.Info("Redis is given", slog.String("addr", a.settings.Redis))
		return a.settings.Redis, nil
	}
	s, err := redisserver.Start(ctx)
	if err != nil {
		return "", err
	}
	a.parts.add("Redis", func() error { s.Stop(); return nil })
	a.log.Info("Redis runs", slog.String("addr", s.Addr), slog.String("kind", s.Kind))
	return s.Addr, nil
}
