package service

import (
	"bytes"
	"context"
	"encoding/json"
	"log/slog"
	"slices"
	"sync"

	"github.com/tidwall/gjson"
)

// keptWarnings are how many different warnings and errors a report shows, those that came last.
const keptWarnings = 100

// maxWarning bounds one warning in a report, in bytes, and maxWarningText what is told of one that is longer.
const (
	maxWarning     = 4 << 10
	maxWarningText = 512
)

// Warnings is a log that keeps its last warnings and errors for a report, and passes everything on. Those of the same
// level, message and component are one with a count, so that a storm of them leaves the others where they are.
type Warnings struct {
	next slog.Handler
	json slog.Handler // writes a record into kept
	kept *kept
}

// warning is what happened once, or again and again.
type warning struct {
	Count int             `json:"count"`
	First json.RawMessage `json:"first"`          // as the log has it in JSON, with its time
	Last  json.RawMessage `json:"last,omitempty"` // likewise, where it is another

	is sameness
}

// sameness is what warnings that count as one share.
type sameness struct{ level, message, component string }

// kept is shared by a log and those derived from it.
type kept struct {
	mu       sync.Mutex
	warnings []warning // by their last, the oldest first
}

// Write takes one line of JSON.
func (k *kept) Write(line []byte) (int, error) {
	found := gjson.GetManyBytes(line, slog.LevelKey, slog.MessageKey, "component")
	is := sameness{found[0].String(), cut(found[1].String()), cut(found[2].String())}
	text := json.RawMessage(bytes.TrimSpace(bytes.Clone(line)))
	if len(text) > maxWarning {
		text = is.short(gjson.GetBytes(line, slog.TimeKey).String())
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	latest := warning{Count: 1, First: text, is: is}
	if i := slices.IndexFunc(k.warnings, func(w warning) bool { return w.is == is }); i >= 0 {
		latest.Count, latest.First, latest.Last = k.warnings[i].Count+1, k.warnings[i].First, text
		k.warnings = slices.Delete(k.warnings, i, i+1)
	} else if len(k.warnings) == keptWarnings {
		k.warnings = slices.Delete(k.warnings, 0, 1)
	}
	k.warnings = append(k.warnings, latest)
	return len(line), nil
}

// cut bounds a text.
func cut(text string) string { return text[:min(len(text), maxWarningText)] }

// short is a line in the place of one that is too long.
func (s sameness) short(at string) json.RawMessage {
	line, _ := json.Marshal(struct { // texts have a JSON form
		Time      string `json:"time"`
		Level     string `json:"level"`
		Message   string `json:"msg"`
		Component string `json:"component,omitempty"`
		Cut       string `json:"cut"`
	}{at, s.level, s.message, s.component, "a warning too long for a report"})
	return line
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

// list is what is kept, by each one's last, the oldest first.
func (w *Warnings) list() []warning {
	w.kept.mu.Lock()
	defer w.kept.mu.Unlock()
	return append([]warning{}, w.kept.warnings...)
}
