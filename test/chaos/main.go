// Chaos holds the promise of delivery against every fault there is a remedy for.
//
// It runs edges, fanouts, NATS and Redis as processes, with a balancer without affinity in front, a
// bot that publishes numbered events, and listeners in Go and with the official client. After each
// fault every listener's log is checked: all numbers of its guild once and in order, or a gap that
// was announced by a connection that was not recovered and closed by a snapshot.
//
// Its command soak breaks nothing: it lets listeners come and go, and looks for what grows.
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

// commands are what the program does: faults where none is named.
type commands struct {
	Faults options     `cmd:"" default:"withargs" help:"Break everything, and check that nobody noticed."`
	Soak   soakOptions `cmd:"" help:"Let clients come and go, and check that nothing grows."`
}

// options are the flags of faults.
type options struct {
	Stack   size          `embed:""`
	Load    crowdSize     `embed:""`
	Rounds  int           `default:"5" help:"How often each fault is done; a round takes seven minutes, more on a busy machine."`
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
	var c commands
	parsed := kong.Parse(&c, kong.Name("chaos"), kong.Description("Hold the pair against time and every fault."))
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	var failed bool
	var err error
	if parsed.Command() == "soak" {
		failed, err = soak(ctx, c.Soak, os.Stdout, os.Stderr)
	} else {
		var outcomes []outcome
		outcomes, err = run(ctx, c.Faults, os.Stderr)
		print(os.Stdout, outcomes)
		failed = slices.ContainsFunc(outcomes, func(o outcome) bool { return o.failed() })
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "chaos:", err)
		os.Exit(2)
	}
	if failed {
		os.Exit(1)
	}
}

// run does the faults one after another; progress is told to w.
func run(ctx context.Context, o options, w io.Writer) ([]outcome, error) {
	chosen, err := o.faults()
	if err != nil {
		return nil, err
	}
	began := time.Now()
	k, end, err := setUp(ctx, o.Bin, o.Keep, o.Stack, w)
	if err != nil {
		return nil, err
	}
	defer end()
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

// setUp starts a stack of the programs in bin, with a folder of its own; end stops it and removes the folder,
// unless the logs in it are to be kept.
func setUp(ctx context.Context, bin string, keep bool, s size, w io.Writer) (k *stack, end func(), err error) {
	bin, err = filepath.Abs(bin)
	if err != nil {
		return nil, nil, err
	}
	folder, err := os.MkdirTemp("", "pona-chaos-")
	if err != nil {
		return nil, nil, err
	}
	remove := func() { _ = os.RemoveAll(folder) }
	if keep {
		fmt.Fprintln(w, "logs are in", folder)
		remove = func() {}
	}
	ctx, cancel := context.WithCancel(ctx)
	began := time.Now()
	k, err = startStack(ctx, bin, folder, s)
	if err != nil {
		cancel()
		remove()
		return nil, nil, err
	}
	fmt.Fprintf(w, "%d edges, %d fanouts and %d NATS servers are ready after %.1f s\n", s.Edges, s.Fanouts, s.NATS, time.Since(began).Seconds())
	return k, func() {
		cancel()
		k.stop()
		remove()
	}, nil
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
