package app

import (
	"context"
	"errors"
	"log/slog"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	"github.com/pona-realtime/pona/services/devstack/simbot"
)

// startBot runs the simulated bot against the fanout at addr, unless it is not wanted.
func (a *App) startBot(addr string) error {
	if !a.settings.Bot {
		a.log.Info("no simulated bot; a bot of yours connects to " + addr)
		return nil
	}
	conn, err := grpc.NewClient(addr, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		return err
	}
	bot := simbot.New(conn, simbot.Options{Seed: a.settings.Seed, Log: a.log.With(slog.String("part", "simbot"))})
	a.parts.run("simulated bot", func(ctx context.Context) error {
		return errors.Join(bot.Run(ctx), conn.Close())
	})
	return nil
}
