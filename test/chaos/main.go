// Chaos holds the promise of delivery against every fault there is a remedy for.
//
// It runs edges, fanouts, NATS and Redis as processes, with a balancer without affinity in front, a
// bot that publishes numbered events, and listeners in Go and with the official client. After each
// fault every listener's log is checked: all numbers of its guild once and in order, or a gap that
// was announced by a connection that was not recovered and closed by a snapshot.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"regexp"
	"slices"
	"syscall"
	"time"

	"github.com/alecthomas/kong"
)

// options are the program's flags.
type options struct {
	Stack   size          `embed:""`
	Load    crowdSize     `embed:""`
	Rounds  int           `default:"5" help:"How often each fault is done; a round takes about twelve minutes."`
	Only    string        `help:"Only faults whose names match this regular expression."`
	Short   bool          `help:"Only the faults of the short form."`
	Settle  time.Duration `default:"2m" help:"Time after a fault until everybody must have everything."`
	Bin     string        `default:"bin" help:"Folder of edge, fanout and nats-server."`
	Scripts string        `default:"test/chaos/stock" help:"Folder of clients.js."`
	Keep    bool          `help:"Keep the logs of the processes."`
}

func main() {
	if isCrowd() {
		serveCrowd()
		return
	}
	var o options
	kong.Parse(&o, kong.Name("chaos"), kong.Description("Break everything, and check that nobody noticed."))
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	outcomes, err := run(ctx, o, os.Stderr)
	print(os.Stdout, outcomes)
	if err != nil {
		fmt.Fprintln(os.Stderr, "chaos:", err)
		os.Exit(2)
	}
	if slices.ContainsFunc(outcomes, func(o outcome) bool { return o.failed() }) {
		os.Exit(1)
	}
}

// run does the faults one after another; progress is told to w.
func run(ctx context.Context, o options, w io.Writer) ([]outcome, error) {
	chosen, err := o.faults()
	if err != nil {
		return nil, err
	}
	folder, err := os.MkdirTemp("", "pona-chaos-")
	if err != nil {
		return nil, err
	}
	if o.Keep {
		fmt.Fprintln(w, "logs are in", folder)
	} else {
		defer os.RemoveAll(folder)
	}
	bin, err := filepath.Abs(o.Bin)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	began := time.Now()
	k, err := startStack(ctx, bin, folder, o.Stack)
	if err != nil {
		return nil, err
	}
	defer k.stop()
	defer cancel()
	fmt.Fprintf(w, "%d edges, %d fanouts and %d NATS servers are ready after %.1f s\n", o.Stack.Edges, o.Stack.Fanouts, o.Stack.NATS, time.Since(began).Seconds())
	l, err := startLoad(ctx, k, o.Scripts, o.Load)
	if err != nil {
		return nil, err
	}
	defer l.end()
	fmt.Fprintf(w, "%d listeners in Go and %d official clients of %d guilds are there after %.1f s\n", o.Load.Clients, o.Load.Stock, o.Load.Guilds, time.Since(began).Seconds())
	var outcomes []outcome
	for round := range o.Rounds {
		for _, f := range chosen {
			fmt.Fprintf(w, "%s round %d of %d: %s …", time.Now().Format(time.TimeOnly), round+1, o.Rounds, f.name)
			result := attempt(ctx, f, k, l, o.Settle)
			fmt.Fprintln(w, "", result.line())
			outcomes = append(outcomes, result)
			if ctx.Err() != nil {
				return outcomes, ctx.Err()
			}
		}
	}
	return outcomes, nil
}

// faults are those that were chosen.
func (o *options) faults() (chosen []fault, err error) {
	only, err := regexp.Compile(o.Only)
	if err != nil {
		return nil, fmt.Errorf("--only: %w", err)
	}
	for _, f := range faults {
		if (f.short || !o.Short) && only.MatchString(f.name) {
			chosen = append(chosen, f)
		}
	}
	if len(chosen) == 0 {
		return nil, errors.New("--only: no fault has such a name")
	}
	return chosen, nil
}

// attempt does one fault and collects what it did.
func attempt(ctx context.Context, f fault, k *stack, l *load, patience time.Duration) outcome {
	began := time.Now()
	o := outcome{fault: f.name}
	if f.many {
		defer l.shrink()
		if o.err = l.swell(ctx); o.err != nil {
			return o
		}
	}
	peak := watchConnects(ctx, l.edges)
	doing := f.do(ctx, k, l)
	missing, settling := l.settle(ctx, patience)
	o.peak = peak()
	sum, taking := l.take()
	o.tally = sum
	o.tally.NeverBack = missing
	o.err = errors.Join(doing, settling, taking, l.bot.complaint())
	if f.edge != nil {
		o.elsewhere = sum.elsewhere(f.edge(k).url())
	}
	if f.others > 0 && o.elsewhere > f.others {
		o.err = errors.Join(o.err, fmt.Errorf("clients of other edges had to wait for %.1f s", o.elsewhere.Seconds()))
	}
	// After a moment with fewer, an edge lets in a second's worth at once.
	if bound := 2 * k.size.ConnectRate; f.many && o.peak > float64(bound) {
		o.err = errors.Join(o.err, fmt.Errorf("%.0f sessions began at an edge in a second, more than %d", o.peak, bound))
	}
	o.took = time.Since(began)
	return o
}
