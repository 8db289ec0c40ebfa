// Command pona-bench is the load tool: see --help, and docs/load.md.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/pona-realtime/pona/pkg/settings"
	"github.com/pona-realtime/pona/test/load/app"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second interrupt ends the process at once
	var s app.Settings
	proceed, err := settings.Parse(app.Program, &s, os.Args[1:], os.Stdout)
	if err == nil && proceed {
		err = app.Run(ctx, &s, os.Stdout, os.Stderr)
	}
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "pona-bench:", err)
	}
	os.Exit(app.Code(err))
}
