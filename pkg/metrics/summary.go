package metrics

import (
	"bytes"
	"context"
	"encoding/json"
	"log/slog"
	"net/http"
	"strconv"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// window is over how long means are taken at least.
const window = time.Minute

// Summary is a service in a few numbers: a page of JSON, and a line of the log.
type Summary struct {
	from    prometheus.Gatherer
	started time.Time
	tell    func(now, earlier Reading, uptime time.Duration) any

	mu               sync.Mutex
	earlier, between Reading // at the start of this window, and of the next
	since            time.Time
}

// NewSummary makes a summary of what tell makes of two readings: now, and between one and two
// minutes ago (or at the start). What it returns is shown as JSON, an object.
func NewSummary(from prometheus.Gatherer, tell func(now, earlier Reading, uptime time.Duration) any) *Summary {
	now, first := time.Now(), Read(from)
	return &Summary{from: from, started: now, tell: tell, earlier: first, between: first, since: now}
}

// Now is the summary's value.
func (s *Summary) Now() any {
	now := Read(s.from)
	s.mu.Lock()
	if age := time.Since(s.since); age >= window {
		s.earlier, s.between, s.since = s.between, now, time.Now()
		if age >= 2*window { // nobody looked: the reading in between is as old as the first
			s.earlier = s.between
		}
	}
	earlier := s.earlier
	s.mu.Unlock()
	return s.tell(now, earlier, time.Since(s.started))
}

// ServeHTTP answers GET /v1/metrics.
func (s *Summary) ServeHTTP(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	_ = json.NewEncoder(w).Encode(s.Now()) // the reader has gone; nobody is left to tell
}

// Log writes the summary every so often until ctx ends; never where every is 0.
func (s *Summary) Log(ctx context.Context, log *slog.Logger, every time.Duration) {
	if every <= 0 {
		return
	}
	ticker := time.NewTicker(every)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
			log.LogAttrs(ctx, slog.LevelInfo, "performance", slog.Attr{Key: "metrics", Value: slog.GroupValue(attributes(s.Now())...)})
		}
	}
}

// attributes are the fields of a summary, with the names that the page has. A field that is no number stays
// JSON, so that a line of text has one key for it.
func attributes(summary any) (all []slog.Attr) {
	text, err := json.Marshal(summary)
	if err != nil {
		return []slog.Attr{slog.Any("error", err)}
	}
	fields := json.NewDecoder(bytes.NewReader(text))
	_, _ = fields.Token() // what Marshal has written can be read
	for fields.More() {
		name, _ := fields.Token()
		var value json.RawMessage
		_ = fields.Decode(&value)
		all = append(all, slog.Attr{Key: name.(string), Value: valueOf(value)})
	}
	return all
}

func valueOf(text json.RawMessage) slog.Value {
	if n, err := strconv.ParseInt(string(text), 10, 64); err == nil {
		return slog.Int64Value(n)
	}
	if n, err := strconv.ParseFloat(string(text), 64); err == nil {
		return slog.Float64Value(n)
	}
	return slog.AnyValue(text)
}

// Handle adds GET /metrics (Prometheus), GET /v1/metrics (the summary) and GET /live/ (a page that shows it) to
// an admin mux.
func Handle(mux *http.ServeMux, from prometheus.Gatherer, s *Summary) {
	mux.Handle("GET /metrics", promhttp.HandlerFor(from, promhttp.HandlerOpts{EnableOpenMetrics: true}))
	mux.Handle("GET /v1/metrics", s)
	mux.Handle("GET /live/", livePage())
}
