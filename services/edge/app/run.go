package app

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"
)

// step is one thing to stop.
type step struct {
	name string
	stop func(ctx context.Context) error // must return when ctx ends
}

// Run serves until ctx ends or a listener fails, then stops everything: first the readiness, then the
// sessions, HTTP, the fanouts' streams, Redis. Each step may take Settings.Grace. It returns when nothing
// of the edge runs any more; an error names the step that did not end in time. Run is called once.
func (a *App) Run(ctx context.Context) error {
	background, stopBackground := context.WithCancel(context.WithoutCancel(ctx))
	defer stopBackground()
	failed := make(chan error, 2)

	admin := a.adminServer()
	adminDone := serve(admin, a.admin, failed)
	var redisDone, linksDone sync.WaitGroup
	if a.redis != nil {
		redisDone.Go(func() { a.redis.run(background) })
	}
	streams, stopStreams := context.WithCancel(background)
	defer stopStreams()
	linksDone.Go(func() { a.links.Run(streams) })
	clients := a.clientServer()
	clientsDone := serve(clients, a.clients, failed)

	a.log.Info("edge started", "listen", a.Addr(), "admin", a.AdminAddr(), "fanouts", a.settings.Fanouts, "auth", a.settings.Auth)
	a.running.Up()
	a.checkReady()

	var err error
	select {
	case <-ctx.Done():
	case err = <-failed:
	}
	a.log.Info("edge stops")
	return errors.Join(err, a.stop([]step{
		{"readiness", func(context.Context) error { a.running.Down("stopping"); return nil }},
		{"sessions", a.server.Close},
		{"relayed requests", func(ctx context.Context) error { return within(ctx, a.relay.Close) }},
		{"clients' HTTP", func(ctx context.Context) error {
			err := shutdown(ctx, clients)
			<-clientsDone
			return err
		}},
		{"commands", func(ctx context.Context) error { return within(ctx, a.gateway.Close) }},
		{"fanouts' streams", func(ctx context.Context) error {
			stopStreams()
			return within(ctx, linksDone.Wait)
		}},
		{"guilds", func(context.Context) error { a.guilds.Close(); return nil }},
		{"authenticator", func(ctx context.Context) error { return within(ctx, a.auth.Close) }},
		{"Redis", func(ctx context.Context) error {
			stopBackground()
			if a.redis == nil {
				return nil
			}
			return errors.Join(within(ctx, redisDone.Wait), a.redis.client.Close())
		}},
		{"admin's HTTP", func(ctx context.Context) error {
			err := shutdown(ctx, admin)
			<-adminDone
			return err
		}},
	}))
}

// stop takes the steps in order; one that fails does not keep the next from being taken.
func (a *App) stop(steps []step) (err error) {
	for _, step := range steps {
		began := time.Now()
		ctx, cancel := context.WithTimeout(context.Background(), a.settings.Grace)
		if stopErr := step.stop(ctx); stopErr != nil {
			err = errors.Join(err, fmt.Errorf("stopping %s: %w", step.name, stopErr))
		}
		cancel()
		a.log.Debug("stopped", "step", step.name, "took", time.Since(began))
	}
	return err
}

// within waits for f as long as ctx lasts.
func within(ctx context.Context, f func()) error {
	done := make(chan struct{})
	go func() { f(); close(done) }()
	select {
	case <-done:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
