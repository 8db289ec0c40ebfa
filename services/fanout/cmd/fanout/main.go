// Command fanout keeps the events that bots publish and gives them to the edges whose clients
// listen.
package main

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"syscall"

	"github.com/pona-realtime/pona/pkg/settings"
	"github.com/pona-realtime/pona/services/fanout/app"
)

var program = settings.Program{
	Name:        "fanout",
	Description: "fanout stores the events of Pona's bots and gives them to the edges.",
	EnvPrefix:   "PONA_FANOUT",
}

// flags are the fanout's settings, and how it logs.
type flags struct {
	app.Settings
	LogLevel  slog.Level `default:"info" unit:"debug | info | warn | error" group:"Logging" help:"Least level logged."`
	LogFormat string     `default:"text" enum:"text,json" group:"Logging" help:"Form of a line, on standard error."`
}

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "fanout:", err)
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
	fanout, err := app.New(f.Settings, log)
	if err != nil {
		return err
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, os.Interrupt)
	defer stop()
	context.AfterFunc(ctx, stop) // a second signal ends the process at once
	return fanout.Run(ctx)
}
