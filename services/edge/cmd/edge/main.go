// Command edge holds the browsers: clients connect to it with Socket.IO, and it to the fanouts.
package main

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"syscall"

	"github.com/pona-realtime/pona/pkg/settings"
	"github.com/pona-realtime/pona/services/edge/app"
)

var program = settings.Program{
	Name:        "edge",
	Description: "edge serves Pona's events to browsers over Socket.IO.",
	EnvPrefix:   "PONA_EDGE",
}

// flags are the edge's settings, and how it logs.
type flags struct {
	app.Settings
	LogLevel  slog.Level `default:"info" unit:"debug | info | warn | error" group:"Logging" help:"Least level logged."`
	LogFormat string     `default:"text" enum:"text,json" group:"Logging" help:"Form of a line, on standard error."`
}

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "edge:", err)
		os.Exit(1)
	}
}

func run() error {
	var f flags
	if proceed, err := settings.Parse(program, &f, os.Args[1:], os.Stdout); err != nil || !proceed {
		return err
	}
	options := &slog.HandlerOptions{Level: f.LogLevel}
	log := slog.New(slog.NewTextHandler(os.Stderr, options))
	if f.LogFormat == "json" {
		log = slog.New(slog.NewJSONHandler(os.Stderr, options))
	}
	edge, err := app.New(f.Settings, log)
	if err != nil {
		return err
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, os.Interrupt)
	defer stop()
	context.AfterFunc(ctx, stop) // a second signal ends the process at once
	return edge.Run(ctx)
}
