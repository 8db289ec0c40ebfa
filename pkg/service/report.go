package service

import (
	"bytes"
	"context"
	"encoding/json"
	"log/slog"
	"net/http"
	"os"
	"runtime"
	"slices"
	"sync"
	"time"

	"github.com/pona-realtime/pona/pkg/health"
	"github.com/pona-realtime/pona/pkg/settings"
)

// keptWarnings are how many of the last warnings and errors a report shows.
const keptWarnings = 100

// maxWarning bounds one warning in a report, in bytes.
const maxWarning = 4 << 10

// Warnings is a log that keeps its last warnings and errors for a report, and passes everything on.
type Warnings struct {
	next slog.Handler
	json slog.Handler // writes a record into kept
	kept *kept
}

// kept is shared by a log and those derived from it.
type kept struct {
	mu    sync.Mutex
	lines []json.RawMessage // the oldest first
}

// Write takes one line of JSON.
func (k *kept) Write(line []byte) (int, error) {
	text := json.RawMessage(bytes.TrimSpace(bytes.Clone(line)))
	if len(text) > maxWarning {
		text = json.RawMessage(`{"msg":"a warning too long for a report"}`)
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if len(k.lines) == keptWarnings {
		k.lines = slices.Delete(k.lines, 0, 1)
	}
	k.lines = append(k.lines, text)
	return len(line), nil
}

// Keep makes a log of log that keeps its warnings.
func Keep(log *slog.Logger) (*slog.Logger, *Warnings) {
	k := new(kept)
	w := &Warnings{next: log.Handler(), json: slog.NewJSONHandler(k, nil), kept: k}
	return slog.New(w), w
}

// Enabled implements slog.Handler: warnings are kept even where they are not logged.
func (w *Warnings) Enabled(ctx context.Context, level slog.Level) bool {
	return level >= slog.LevelWarn || w.next.Enabled(ctx, level)
}

// Handle implements slog.Handler.
func (w *Warnings) Handle(ctx context.Context, r slog.Record) error {
	if r.Level >= slog.LevelWarn {
		_ = w.json.Handle(ctx, r) // kept.Write never fails
	}
	if !w.next.Enabled(ctx, r.Level) {
		return nil
	}
	return w.next.Handle(ctx, r)
}

// WithAttrs implements slog.Handler.
func (w *Warnings) WithAttrs(attrs []slog.Attr) slog.Handler {
	return &Warnings{w.next.WithAttrs(attrs), w.json.WithAttrs(attrs), w.kept}
}

// WithGroup implements slog.Handler.
func (w *Warnings) WithGroup(name string) slog.Handler {
	return &Warnings{w.next.WithGroup(name), w.json.WithGroup(name), w.kept}
}

func (w *Warnings) lines() []json.RawMessage {
	w.kept.mu.Lock()
	defer w.kept.mu.Unlock()
	return append([]json.RawMessage{}, w.kept.lines...)
}

// Reporter makes reports: what those who are to help need to know, in one file and without secrets.
type Reporter struct {
	Program  settings.Program
	Settings any // pointer to the program's
	Health   *health.Health
	Metrics  func() any // as /v1/metrics shows
	Warnings *Warnings
}

// report is one, as JSON.
type report struct {
	At       time.Time         `json:"at"`
	Program  string            `json:"program"`
	Build    settings.Build    `json:"build"`
	Machine  machine           `json:"machine"`
	Missing  []health.Missing  `json:"missing"` // what /readyz shows
	Metrics  any               `json:"metrics"`
	Settings map[string]string `json:"settings"` // those that are not the default; secrets are hidden
	Warnings []json.RawMessage `json:"warnings"` // the oldest first
}

// machine is what the program runs on.
type machine struct {
	OS         string `json:"os"`
	CPUs       int    `json:"cpus"`
	MaxProcs   int    `json:"maxProcs"` // GOMAXPROCS
	Goroutines int    `json:"goroutines"`
	HeapBytes  uint64 `json:"heapBytes"`
	SysBytes   uint64 `json:"sysBytes"` // taken from the system
	Files      int    `json:"files"`    // descriptors open; -1 where unknown
}

// ServeHTTP answers GET /v1/report.
func (r *Reporter) ServeHTTP(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("Content-Disposition", `attachment; filename="`+r.Program.Name+`-report.json"`)
	encoder := json.NewEncoder(w)
	encoder.SetIndent("", "  ")
	_ = encoder.Encode(r.report()) // the reader has gone; nobody is left to tell
}

func (r *Reporter) report() report {
	var memory runtime.MemStats
	runtime.ReadMemStats(&memory)
	out := report{
		At: time.Now().UTC(), Program: r.Program.Name, Build: settings.BuildOf(r.Program),
		Machine: machine{
			OS: runtime.GOOS + "/" + runtime.GOARCH, CPUs: runtime.NumCPU(), MaxProcs: runtime.GOMAXPROCS(0),
			Goroutines: runtime.NumGoroutine(), HeapBytes: memory.HeapAlloc, SysBytes: memory.Sys, Files: openFiles(),
		},
		Missing: append([]health.Missing{}, r.Health.Missing()...), Metrics: r.Metrics(),
		Warnings: r.Warnings.lines(),
	}
	out.Settings, _ = settings.Changed(r.Program, r.Settings) // what could be parsed can be listed
	return out
}

func openFiles() int {
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		return -1
	}
	return len(entries)
}
