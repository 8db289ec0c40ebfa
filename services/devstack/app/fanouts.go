package app

import (
	"context"
	"log/slog"
	"strconv"

	"golang.org/x/sync/errgroup"

	"github.com/pona-realtime/pona/pkg/settings"
	fanout "github.com/pona-realtime/pona/services/fanout/app"
)

// startFanouts runs the fanouts and returns their gRPC addresses when all are ready. The first is
// the one on --grpc.
func (a *App) startFanouts(ctx context.Context, nats, redis string) ([]string, error) {
	fanouts := make([]*fanout.App, a.settings.Fanouts)
	for i := range fanouts {
		var s fanout.Settings
		if err := settings.Defaults(&s); err != nil {
			return nil, err
		}
		s.GRPC, s.Admin = "127.0.0.1:0", "127.0.0.1:0"
		s.NATS, s.Redis = nats, "redis://"+redis
		if i == 0 {
			s.GRPC = a.settings.GRPC
		}
		var err error
		if fanouts[i], err = fanout.New(s, a.log.With(slog.String("part", "fanout "+strconv.Itoa(i+1)))); err != nil {
			return nil, err
		}
	}
	a.parts.run("fanouts", func(ctx context.Context) error {
		group, ctx := errgroup.WithContext(ctx)
		for _, f := range fanouts {
			group.Go(func() error { return f.Run(ctx) })
		}
		return group.Wait()
	})
	addrs := make([]string, len(fanouts))
	for i, f := range fanouts {
		if err := a.parts.await(ctx, f.Ready()); err != nil {
			return nil, err
		}
		addrs[i] = f.GRPCAddr()
		a.log.Info("fanout runs", slog.Int("fanout", i+1), slog.String("grpc", addrs[i]), slog.String("admin", f.AdminAddr()), slog.String("live", "http://"+f.AdminAddr()+"/live/"))
	}
	return addrs, nil
}
