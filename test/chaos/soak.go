package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/pona-realtime/pona/pkg/settings"
	"github.com/pona-realtime/pona/test/load/report"
)

// soakOptions are the flags of soak.
type soakOptions struct {
	Minutes float64       `default:"10" help:"How long; the first half is for warming up."`
	Every   time.Duration `default:"2s" help:"Time between two looks at each process; whole seconds."`
	Clients int           `default:"400" help:"Listeners in Go, every fifth of them polling; about half of them are there at a time."`
	Stay    time.Duration `default:"15s" help:"How long listeners stay, and stay away, on average."`
	Guilds  int           `default:"100" help:"Guilds that play."`
	Event   time.Duration `default:"1s" help:"Time between two events of a guild."`
	Report  string        `default:"bin/soak.html" help:"File of the plots."`
	Bin     string        `default:"bin" help:"Folder of edge, fanout and nats-server."`
	Keep    bool          `help:"Keep the logs of the processes."`
}

// errInterrupted is how a soak ends before its time; what was seen until then is shown all the same.
var errInterrupted = errors.New("interrupted: nothing is said about what grows")

// soak lets listeners come and go at two edges and two fanouts, watches what these use, and says whether any of it grew,
// or could not be judged, or a listener's log broke the promise. With an error, too, what was seen until then is plotted.
func soak(ctx context.Context, o soakOptions, out, progress io.Writer) (failed bool, err error) {
	if o.Every < time.Second || o.Minutes <= 0 || o.Stay <= 0 || o.Event <= 0 || o.Clients < 1 || o.Guilds < 1 {
		return false, errors.New("--every must be a second or more, and all other numbers positive")
	}
	if o.Minutes*float64(time.Minute) < float64(2*enough*o.Every) {
		fmt.Fprintf(progress, "%v min are too short to say what grows: %v at least\n", o.Minutes, 2*enough*o.Every)
	}
	at := time.Now()
	k, end, err := setUp(ctx, o.Bin, o.Keep, size{Edges: 2, Fanouts: 2, NATS: 1, ConnectRate: 500}, progress)
	if err != nil {
		return false, err
	}
	defer end()
	l, err := startVisitors(ctx, k, o)
	if err != nil {
		return false, err
	}
	defer l.end()
	fmt.Fprintf(progress, "%d listeners come and go for %v min\n", o.Clients, o.Minutes)
	services := append(append([]*node{}, k.edges...), k.fanouts...)
	began := time.Now()
	seen, watching := watch(ctx, services, o)
	took := time.Since(began)
	sum, taking := l.take()
	if ctx.Err() != nil { // which is why those failed that did
		watching, taking = errInterrupted, nil
	}
	r := &report.Report{
		Program: "soak", Target: "the pair under clients that come and go", At: at.UTC(), Version: settings.BuildOf(settings.Program{Name: "soak"}).Version,
		Interrupted: ctx.Err() != nil, Settings: o.shown(),
	}
	t := tabwriter.NewWriter(out, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(t, "process\tof the second half\tstart\tend\tper hour\tgive or take\t\t")
	for i, s := range services {
		result := judge(t, s.name, seen[i], o.Every)
		result.Seconds = took.Seconds()
		failed = failed || len(result.Failures) > 0
		r.Results = append(r.Results, result)
	}
	_ = t.Flush() // to a terminal or a buffer
	fmt.Fprintf(out, "%d events, %d lost, %d duplicated, %d reordered, %d unannounced; %d came back recovered, %d anew\n",
		sum.Events, sum.Lost, sum.Duplicated, sum.Reordered, sum.Unannounced, sum.Recovered, sum.Snapshots)
	for _, e := range sum.Evidence {
		fmt.Fprintln(out, " ", e)
	}
	failed = failed || sum.broken() || sum.Events == 0
	if err := errors.Join(watching, taking); err != nil { // the rest follows from it
		return failed, errors.Join(err, write(r, o.Report))
	}
	return failed, errors.Join(l.bot.complaint(), write(r, o.Report))
}

// judge says of each gauge of a process whether it grows, or that it cannot be said; both are failures.
func judge(table io.Writer, name string, seen [][]float64, every time.Duration) *report.Result {
	result := &report.Result{Scenario: name, Title: "what it uses", Failures: map[string]int{}}
	for i, g := range gauges {
		f := fit(seen[i], every)
		verdict := ""
		switch {
		case f.tooShort(g.limit):
			verdict = "too short to say"
		case f.leaks(g.limit):
			verdict = "GROWS"
		}
		what, unit, _ := strings.Cut(g.name, ", ")
		if verdict != "" {
			result.Failures[what+": "+verdict]++
		}
		hours := max(f.took.Hours(), time.Second.Hours())
		fmt.Fprintf(table, "%s\t%s\t%.1f\t%.1f\t%+.1f\t%.1f\t%s\t\n", name, g.name, f.start/g.unit, f.end/g.unit, f.perHour()/g.unit, 4*f.doubt/hours/g.unit, verdict)
		result.Figures.Add(g.name+", per hour", f.perHour()/g.unit)
		result.Series = append(result.Series, report.Series{Name: what, Unit: cmp.Or(unit, "number"), Step: every.Seconds(), Values: shown(seen[i], g.unit)})
	}
	return result
}

// shown are the settings as the report has them.
func (o soakOptions) shown() map[string]string {
	return map[string]string{
		"minutes": fmt.Sprint(o.Minutes), "every": o.Every.String(), "clients": fmt.Sprint(o.Clients), "stay": o.Stay.String(),
		"guilds": fmt.Sprint(o.Guilds), "event": o.Event.String(),
	}
}

// movesPerSecond is how many guilds have their listeners moved to another room in a second.
const movesPerSecond = 10

// startVisitors starts the bot and the listeners.
func startVisitors(ctx context.Context, k *stack, o soakOptions) (l *load, err error) {
	ctx, stop := context.WithCancel(ctx)
	l = &load{stop: stop, edges: k.edgeServers()}
	var fanouts []string
	for _, f := range k.fanouts {
		fanouts = append(fanouts, f.Address)
	}
	if l.bot, err = startBot(ctx, fanouts, o.Guilds, o.Event); err == nil {
		l.bot.host(ctx, movesPerSecond)
		l.crowds, err = startCrowd(CrowdPlan{Edges: l.edges, Clients: o.Clients, Guilds: o.Guilds, Polls: 5, Rate: 100, Stay: o.Stay})
	}
	if err != nil {
		l.end()
		return nil, err
	}
	return l, nil
}

// watch samples all services until the time is over: each service's gauges, each with its values; with an error, those until then.
func watch(ctx context.Context, services []*node, o soakOptions) (seen [][][]float64, err error) {
	seen = make([][][]float64, len(services))
	for i := range seen {
		seen[i] = make([][]float64, len(gauges))
	}
	tick := time.NewTicker(o.Every)
	defer tick.Stop()
	for over := time.After(time.Duration(o.Minutes * float64(time.Minute))); ; {
		select {
		case <-tick.C:
		case <-over:
			return seen, nil
		case <-ctx.Done():
			return seen, nil
		}
		for i, s := range services {
			values, err := sample(ctx, s.server)
			if ctx.Err() != nil {
				return seen, nil
			}
			if err != nil {
				return seen, fmt.Errorf("%s: %w: %s", s.name, err, s.lastWords())
			}
			for j, v := range values {
				seen[i][j] = append(seen[i][j], v)
			}
		}
	}
}

// shown are values in a unit.
func shown(values []float64, unit float64) (scaled []float64) {
	for _, v := range values {
		scaled = append(scaled, v/unit)
	}
	return scaled
}

// write writes the plots.
func write(r *report.Report, path string) error {
	file, err := os.Create(path)
	if err != nil {
		return err
	}
	return errors.Join(r.WriteHTML(file), file.Close())
}
