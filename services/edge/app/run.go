package app

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/pona-realtime/pona/pkg/health"
	"github.com/pona-realtime/pona/pkg/service"
)

// Run serves until ctx ends or a listener fails, then stops everything: first the readiness, then its
// clients are moved away, then it ends sessions, HTTP, the fanouts' streams, Redis. Each step may take
// Settings.Grace, the moving DrainDelay and Drain. It returns when nothing
// of the edge runs any more; an error names the step that did not end in time. Run is called once.
func (a *App) Run(ctx context.Context) error {
	background, stopBackground := context.WithCancel(context.WithoutCancel(ctx))
	defer stopBackground()
	failed := make(chan error, 2)

	serving, stopServing := context.WithCancel(background)
	defer stopServing()
	rebalance := &rebalance{app: a, ctx: serving}
	rebalance.running.Go(func() { a.balance(serving) })
	rebalance.running.Go(func() { a.admission.Run(serving) })
	if a.adminUI != nil {
		rebalance.running.Go(func() { a.adminUI.Run(serving) })
	}
	var watching, linksDone sync.WaitGroup
	watching.Go(func() {
		if err := health.Serve(background, a.admin, a.adminMux(rebalance)); err != nil {
			failed <- fmt.Errorf("admin: %w", err)
		}
	})
	watching.Go(func() { a.summary.Log(background, a.log, a.settings.PerformanceLog) })
	if a.redis != nil {
		watching.Go(func() { a.redis.Watch(background) })
	}
	streams, stopStreams := context.WithCancel(background)
	defer stopStreams()
	linksDone.Go(func() { a.links.Run(streams) })
	clients := a.clientServer()
	clientsDone := serve(clients, a.public(), failed)

	a.log.Info("edge started", "listen", a.Addr(), "admin", a.AdminAddr(), "fanouts", a.settings.Fanouts, "auth", a.settings.Auth)
	a.running.Up()

	var err error
	select {
	case <-ctx.Done():
	case err = <-failed:
	}
	a.log.Info("edge stops")
	leaving := service.Stopping{Log: a.log, Grace: a.settings.DrainDelay + a.settings.Drain}
	leaving.Step("readiness", func(context.Context) error { a.running.Down("stopping"); return nil })
	stopServing()
	leaving.Step("moving clients away", a.drain)
	stopping := service.Stopping{Log: a.log, Grace: a.settings.Grace}
	stopping.Step("rebalancing", func(ctx context.Context) error { return service.Within(ctx, rebalance.running.Wait) })
	stopping.Step("sessions", a.server.Close)
	stopping.Step("relayed requests", func(ctx context.Context) error { return service.Within(ctx, a.relay.Close) })
	stopping.Step("clients' HTTP", func(ctx context.Context) error {
		err := shutdown(ctx, clients)
		<-clientsDone
		return err
	})
	stopping.Step("commands", func(ctx context.Context) error { return service.Within(ctx, a.gateway.Close) })
	stopping.Step("fanouts' streams", func(ctx context.Context) error {
		stopStreams()
		return service.Within(ctx, linksDone.Wait)
	})
	stopping.Step("guilds", func(context.Context) error { a.guilds.Close(); return nil })
	stopping.Step("authenticator", func(ctx context.Context) error { return service.Within(ctx, a.auth.Close) })
	stopping.Step("spans", a.tracer.Close)
	stopping.Step("admin and Redis", func(ctx context.Context) error {
		stopBackground()
		return errors.Join(service.Within(ctx, watching.Wait), service.Within(ctx, a.keptRooms.Close), service.CloseRedis(a.rooms, a.redis))
	})
	return errors.Join(err, stopping.Err())
}
