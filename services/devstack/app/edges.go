package app

import (
	"context"
	"crypto/rand"
	"log/slog"
	"net/url"
	"strconv"

	"golang.org/x/sync/errgroup"

	"github.com/pona-realtime/pona/pkg/settings"
	edge "github.com/pona-realtime/pona/services/edge/app"
)

// startEdges runs the edges against the fanouts and returns their URLs when all are ready.
func (a *App) startEdges(ctx context.Context, fanouts []string, redis string) ([]*url.URL, error) {
	common, err := a.edgeSettings(fanouts, redis)
	if err != nil {
		return nil, err
	}
	edges := make([]*edge.App, a.settings.Edges)
	for i := range edges {
		if edges[i], err = edge.New(common, a.log.With(slog.String("part", "edge "+strconv.Itoa(i+1)))); err != nil {
			return nil, err
		}
	}
	a.parts.run("edges", func(ctx context.Context) error {
		group, ctx := errgroup.WithContext(ctx)
		for _, e := range edges {
			group.Go(func() error { return e.Run(ctx) })
		}
		return group.Wait()
	})
	urls := make([]*url.URL, len(edges))
	for i, e := range edges {
		if err := a.parts.await(ctx, e.Ready()); err != nil {
			return nil, err
		}
		urls[i] = &url.URL{Scheme: "http", Host: e.Addr()}
		a.log.Info("edge runs", slog.Int("edge", i+1), slog.String("url", urls[i].String()), slog.String("admin", e.AdminAddr()), slog.String("live", "http://"+e.AdminAddr()+"/live/"))
	}
	return urls, nil
}

// edgeSettings are those of every edge: the defaults, on ports of their own, with a key that they
// share, so that each can relay a poll to the one that has the session.
func (a *App) edgeSettings(fanouts []string, redis string) (edge.Settings, error) {
	var s edge.Settings
	if err := settings.Defaults(&s); err != nil {
		return s, err
	}
	s.Listen, s.Admin = "127.0.0.1:0", "127.0.0.1:0"
	s.Fanouts, s.Redis = fanouts, "redis://"+redis
	s.ClusterKeys = []string{rand.Text() + rand.Text()}
	s.Origins = append(s.Origins, "http://"+a.Addr())
	s.Auth = "insecure-dev"
	s.DrainDelay = 0 // the proxy stops with them
	if a.settings.Discord != "" {
		s.Auth, s.DiscordURL, s.DiscordBotToken = "discord", a.settings.Discord, a.settings.DiscordBotToken
	}
	return s, nil
}
