package service

import (
	"io"
	"log/slog"
	"time"
)

// Logging are the settings of a service's log; it is embedded in the service's own.
type Logging struct {
	LogLevel  slog.Level `default:"info" unit:"debug | info | warn | error" group:"Logging" help:"Least level logged."`
	LogFormat string     `default:"text" enum:"text,json" group:"Logging" help:"Form of a line, on standard error."`

	PerformanceLog time.Duration `default:"60s" unit:"duration, 0 for never" group:"Logging" help:"Time between two lines with what /v1/metrics shows."`
}

// Logger writes to w as the settings say.
func (l Logging) Logger(w io.Writer) *slog.Logger {
	options := &slog.HandlerOptions{Level: l.LogLevel}
	if l.LogFormat == "json" {
		return slog.New(slog.NewJSONHandler(w, options))
	}
	return slog.New(slog.NewTextHandler(w, options))
}
