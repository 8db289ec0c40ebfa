// Package service is what Pona's services have in common beside their work: how they start, how they
// stop in named steps, their log, and their watch over Redis.
//
// A service's main is one call of [Main]. Nothing here knows what a service does.
package service

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"sync"
	"syscall"

	"github.com/KimMachineGun/automemlimit/memlimit"

	"github.com/pona-realtime/pona/pkg/settings"
)

// Service is a program that has been put together and waits to run.
type Service interface {
	// Run works until ctx ends or something fails for good, then stops; nothing is left when it returns.
	Run(ctx context.Context) error
}

// Main is a service's whole main: it fills into, a pointer to the service's settings, puts the
// service together and runs it until SIGTERM or an interrupt. A second signal ends the process at
// once. An error is one line on standard error, and exit code 1.
func Main(p settings.Program, into any, build func() (Service, error)) {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, os.Interrupt)
	context.AfterFunc(ctx, stop)
	err := run(ctx, p, into, build, os.Args[1:], os.Stdout)
	stop()
	if err != nil {
		fmt.Fprintf(os.Stderr, "%s: %v\n", p.Name, err)
		os.Exit(1)
	}
}

func run(ctx context.Context, p settings.Program, into any, build func() (Service, error), args []string, stdout io.Writer) error {
	if proceed, err := settings.Parse(p, into, args, stdout); err != nil || !proceed {
		return err
	}
	if p, can := into.(interface {
		probed
		wanted() bool
	}); can && p.wanted() {
		return probe(context.WithoutCancel(ctx), p.AdminAddress())
	}
	if l, can := into.(interface{ Logger(io.Writer) *slog.Logger }); can {
		limitMemory(memlimit.FromCgroup, l.Logger(os.Stderr))
	}
	s, err := build()
	if err != nil {
		return err
	}
	if p, can := into.(scheduled); can && p.adaptive() {
		running, stop := context.WithCancel(context.WithoutCancel(ctx)) // stopping is work, too
		var adapting sync.WaitGroup
		defer adapting.Wait()
		defer stop()
		adapting.Go(func() { adaptProcessors(running, new(pace).needsAll) })
	}
	return s.Run(ctx)
}
