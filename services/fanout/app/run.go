package app

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/cenkalti/backoff/v5"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"golang.org/x/sync/errgroup"
	"google.golang.org/grpc"

	"github.com/pona-realtime/pona/pkg/health"
	"github.com/pona-realtime/pona/pkg/service"
	"github.com/pona-realtime/pona/services/fanout/stream"
)

// Run serves until ctx ends or something fails for good, then stops everything: readiness first,
// then the bots' calls, the partitions, the edges' streams, gRPC, NATS and Redis. Each step may take
// Settings.Grace. It returns when nothing of the fanout runs any more. Run is called once.
func (a *App) Run(ctx context.Context) error {
	background, stopBackground := context.WithCancel(context.WithoutCancel(ctx))
	defer stopBackground()
	working, stopWork := context.WithCancel(background)
	defer stopWork()

	failed := make(chan error, 3)
	report := func(what string, err error) {
		if err != nil {
			failed <- fmt.Errorf("%s: %w", what, err)
		}
	}
	var watching, serving sync.WaitGroup
	watching.Go(func() { report("admin", health.Serve(background, a.admin, a.adminMux())) })
	watching.Go(func() { a.summary.Log(background, a.log, a.settings.PerformanceLog) })
	if a.redis != nil {
		watching.Go(func() { a.redis.Watch(background) })
	}
	serving.Go(func() { report("gRPC", a.serve()) })
	var work errgroup.Group
	var nc *nats.Conn // set when work has ended
	work.Go(func() (err error) {
		nc, err = a.work(working)
		report("event stream", err)
		return nil
	})
	a.log.Info("fanout started", "grpc", a.GRPCAddr(), "admin", a.AdminAddr())
	a.running.Up()

	var err error
	select {
	case <-ctx.Done():
	case err = <-failed:
	}
	a.log.Info("fanout stops")
	stopping := service.Stopping{Log: a.log, Grace: a.settings.Grace}
	stopping.Step("readiness", func(context.Context) error { a.running.Down("stopping"); return nil })
	stopping.Step("bots' calls", func(context.Context) error { a.ingest.Drain(); a.commands.Drain(); return nil })
	stopping.Step("partitions", func(ctx context.Context) error {
		stopWork()
		return service.Within(ctx, func() { _ = work.Wait() })
	})
	stopping.Step("edges' streams", func(context.Context) error { a.route.Close(); return nil })
	stopping.Step("gRPC", func(ctx context.Context) error {
		_ = service.Within(ctx, a.grpc.GracefulStop) // who does not let go, such as a health watch, is cut off
		a.grpc.Stop()
		serving.Wait()
		return nil
	})
	stopping.Step("calls", func(ctx context.Context) error {
		return service.Within(ctx, func() { a.ingest.Close(); a.route.Wait(); a.commands.Wait() })
	})
	stopping.Step("NATS", func(ctx context.Context) error { return a.nats.close(ctx, nc) })
	stopping.Step("spans", a.tracer.Close)
	stopping.Step("admin and Redis", func(ctx context.Context) error {
		stopBackground()
		return errors.Join(service.Within(ctx, watching.Wait), service.CloseRedis(a.rooms, a.redis))
	})
	return errors.Join(err, stopping.Err())
}

func (a *App) serve() error {
	if err := a.grpc.Serve(a.listener); !errors.Is(err, grpc.ErrServerStopped) {
		return err
	}
	return nil
}

// work connects to NATS, opens the stream, and owns partitions until ctx ends. The connection is
// the caller's to close, whatever the error.
func (a *App) work(ctx context.Context) (*nats.Conn, error) {
	opened := a.health.Condition("event stream")
	nc, err := a.nats.connect(ctx)
	if err != nil {
		return nil, endedOr(ctx, err)
	}
	if err := a.nats.insist(ctx, "event stream not there, trying again", func() error { return a.open(ctx, nc) }); err != nil {
		return nc, endedOr(ctx, err)
	}
	a.nats.condition.Up()
	opened.Up()
	// Leave time in the step for what the owner waits for after its partitions are handed over.
	return nc, a.owner.Run(ctx, a.settings.Grace*3/4)
}

// openTimeout is how long one attempt of open may take. A cluster that is about to find its leader, or
// makes the same stream for another fanout, drops requests: better to begin anew soon.
const openTimeout = 2 * time.Second

// open makes everything that needs NATS, or finds what an earlier attempt has made.
func (a *App) open(ctx context.Context, nc *nats.Conn) error {
	ctx, cancel := context.WithTimeout(ctx, openTimeout)
	defer cancel()
	s := a.settings
	events, err := stream.Open(ctx, nc, stream.Options{
		Partitions: s.Partitions, Replicas: s.Replicas, MaxAge: s.Retention, MaxBytes: int64(s.RetentionMax),
		DedupWindow: s.Dedup, MaxEventBytes: int(s.MaxEvent), Traced: a.tracer != nil,
	})
	if errors.Is(err, stream.ErrSettings) {
		return backoff.Permanent(err)
	}
	if err != nil {
		return err
	}
	js, err := jetstream.New(nc)
	if err != nil {
		return err
	}
	if err := a.owner.Start(ctx, js, events); err != nil {
		return err
	}
	if err := errors.Join(a.commands.Listen(nc), a.revoke.Listen(nc)); err != nil {
		return err
	}
	if limit := events.MaxEventBytes(); limit < int(s.MaxEvent) {
		a.log.Warn("larger events are refused, as the NATS server's max_payload has no room for what max-event allows; raise the one or lower the other",
			"bytes", limit, "max_payload", nc.MaxPayload(), "max-event", int64(s.MaxEvent))
	}
	a.stream.Store(events)
	return nil
}

// endedOr drops an error that only says that ctx has ended.
func endedOr(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return nil
	}
	return err
}
