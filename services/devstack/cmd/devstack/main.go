// Command devstack runs all of Pona on this machine: NATS, Redis, fanouts, edges, a simulated bot
// and a web player.
package main

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"syscall"

	"github.com/pona-realtime/pona/pkg/settings"
	"github.com/pona-realtime/pona/services/devstack/app"
)

var version string // set by the linker

var program = settings.Program{
	Name:        "devstack",
	Description: "Runs all of Pona in one process: NATS, Redis, fanouts, edges behind a proxy without sticky sessions, a simulated bot and a web player.",
	EnvPrefix:   "PONA_DEVSTACK",
	Version:     version,
}

func main() {
	var s app.Settings
	proceed, err := settings.Parse(program, &s, os.Args[1:], os.Stdout)
	if err == nil && proceed {
		err = run(s)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "devstack:", err)
		os.Exit(1)
	}
}

func run(s app.Settings) error {
	level := slog.LevelInfo
	if s.Verbose {
		level = slog.LevelDebug
	}
	log := slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: level}))
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	a, err := app.New(s, log)
	if err != nil {
		return err
	}
	return a.Run(ctx)
}
