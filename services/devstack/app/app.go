// Package app is the dev stack: everything that a cluster consists of, in one process.
//
//	browser ──▶ --listen ─┬─ /            player page
//	                      └─ the rest ──▶ edges in turn ──▶ fanouts ──▶ NATS
//	bot ──────▶ --grpc ──────────────────────────────────────▲
//
// The services are the ones that run in production, each with ports of its own on the loopback
// interface; nothing in them knows of this package.
package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
)

// App is a stack. Make one with New and run it once.
type App struct {
	settings Settings
	log      *slog.Logger
	listener net.Listener // of --listen, taken before anything else is started
	parts    *lifecycle
	ready    chan struct{}
	grpc     string // of the first fanout; set before ready is closed
}

// New takes the address that clients will use; that it is free is the commonest thing to go wrong.
func New(s Settings, log *slog.Logger) (*App, error) {
	if err := s.Validate(); err != nil {
		return nil, err
	}
	listener, err := net.Listen("tcp", s.Listen)
	if err != nil {
		return nil, fmt.Errorf("--listen: %w", err)
	}
	return &App{settings: s, log: log, listener: listener, parts: newLifecycle(), ready: make(chan struct{})}, nil
}

// Addr is where clients connect, host:port.
func (a *App) Addr() string { return a.listener.Addr().String() }

// GRPCAddr is where bots connect, host:port. It is known when Ready is closed.
func (a *App) GRPCAddr() string { return a.grpc }

// Ready is closed when everything runs.
func (a *App) Ready() <-chan struct{} { return a.ready }

// Run starts everything, and stops it in reverse when ctx ends or a part fails. It returns nil when
// ctx ended it and nothing went wrong.
func (a *App) Run(ctx context.Context) error {
	err := a.start(ctx)
	if err == nil {
		close(a.ready)
		a.log.Info("everything runs; the player is at http://" + a.Addr() + "/")
		err = a.parts.await(ctx, nil)
	}
	if ctx.Err() != nil {
		err = nil // asked to end, whatever was under way
		a.log.Info("stopping")
	}
	return errors.Join(err, a.parts.stop())
}

// start brings the parts up, each when those below it are ready.
func (a *App) start(ctx context.Context) error {
	front, err := a.newFront()
	if err != nil {
		return errors.Join(err, a.listener.Close())
	}
	a.parts.run("front", front.run)
	nats, err := a.startNATS()
	if err != nil {
		return err
	}
	redis, err := a.startRedis(ctx)
	if err != nil {
		return err
	}
	fanouts, err := a.startFanouts(ctx, nats, redis)
	if err != nil {
		return err
	}
	a.grpc = fanouts[0]
	edges, err := a.startEdges(ctx, fanouts, redis)
	if err != nil {
		return err
	}
	front.edges.SetTargets(edges)
	return a.startBot(a.grpc)
}
