// Package app is the load tool pona-bench: it runs scenarios, shows how far they are, and writes what they found.
package app

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/pona-realtime/pona/pkg/settings"
	"github.com/pona-realtime/pona/test/load/report"
	"github.com/pona-realtime/pona/test/load/scenario"
)

// Program is what the command says of itself.
var Program = settings.Program{
	Name: "pona-bench",
	Description: "pona-bench puts any Socket.IO server (Engine.IO 4, default parser) under load and reports what its clients see. " +
		"connect, idle, reconnect, jitter and avalanche need nothing of the server; namespaces needs two of them, latency an event that is answered; " +
		"broadcast and compression need something that emits. An interrupt ends the run early, with a report of what was measured. " +
		"It ends with code 0 when all was measured, 1 when something could not be, 2 with strict when all was and not all was well, and 130 when it was interrupted.",
	EnvPrefix: "PONA_BENCH",
}

// Settings are all that can be set.
type Settings struct {
	scenario.Settings
	JSON   string `name:"json" unit:"path, - for the standard output" group:"Report" help:"Where to write the report as JSON."`
	HTML   string `name:"html" unit:"path" group:"Report" help:"Where to write it as one HTML file with plots."`
	Quiet  bool   `group:"Report" help:"Show neither progress nor table."`
	Strict bool   `group:"Report" help:"End with code 2 where a client failed, or an event was lost, came twice or out of order, for scripts. An attempt in avalanche that is refused and repeated is no failure."`
}

// ErrStrict says that all was measured, and not all was well.
var ErrStrict = errors.New("clients failed, or events were lost, came twice or out of order, see the report")

// ErrInterrupted says that not all was measured, as somebody wanted.
var ErrInterrupted = errors.New("interrupted, the report has what was measured until then")

// Code is what the process ends with.
func Code(err error) int {
	switch {
	case err == nil:
		return 0
	case errors.Is(err, ErrStrict):
		return 2
	case errors.Is(err, ErrInterrupted):
		return 130 // as a shell says of a program that an interrupt has ended
	default:
		return 1
	}
}

// Run measures until all is done or ctx ends, and writes the report in any case.
func Run(ctx context.Context, s *Settings, stdout, stderr io.Writer) error {
	if s.Quiet {
		stderr = io.Discard
	}
	changed, err := settings.Changed(Program, s)
	if err != nil {
		return err
	}
	for _, path := range []string{s.JSON, s.HTML} {
		if err := writable(path); err != nil {
			return err
		}
	}
	r := &report.Report{Program: Program.Name, Target: s.URL, At: time.Now().UTC(), Version: settings.BuildOf(Program).Version, Settings: changed}
	shown := newProgress(stderr)
	scenario.Run(ctx, &s.Settings, shown.step, func(result *report.Result) {
		shown.finished(result)
		r.Results = append(r.Results, result)
	})
	r.Interrupted = ctx.Err() != nil
	if err := write(s, r, stdout); err != nil {
		return err
	}
	return verdict(s, r)
}

// verdict is the run's error.
func verdict(s *Settings, r *report.Report) error {
	if r.Interrupted {
		return ErrInterrupted
	}
	bad := false
	for _, result := range r.Results {
		if result.Error != "" {
			return fmt.Errorf("%s: %s", result.Scenario, result.Error)
		}
		bad = bad || len(result.Failures) > 0 || result.Lost() > 0 || result.Misplaced() > 0
	}
	if s.Strict && bad {
		return ErrStrict
	}
	return nil
}

// write puts the report wherever it is wanted.
func write(s *Settings, r *report.Report, stdout io.Writer) error {
	if !s.Quiet && s.JSON != "-" {
		if err := r.WriteTable(stdout); err != nil {
			return err
		}
	}
	if s.JSON == "-" {
		if err := r.WriteJSON(stdout); err != nil {
			return err
		}
	}
	return errors.Join(create(s.JSON, r.WriteJSON), create(s.HTML, r.WriteHTML))
}

// writable says, before the load, whether the report can be written.
func writable(path string) error {
	if path == "" || path == "-" {
		return nil
	}
	file, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY, 0o666)
	if err != nil {
		return err
	}
	return file.Close()
}

// create writes a file, if there is to be one.
func create(path string, write func(io.Writer) error) error {
	if path == "" || path == "-" {
		return nil
	}
	file, err := os.Create(path)
	if err != nil {
		return err
	}
	return errors.Join(write(file), file.Close())
}
