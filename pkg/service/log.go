package service

import (
	"fmt"
	"io"
	"log/slog"
	"time"
)

// Logging are the settings of a service's log; it is embedded in the service's own.
type Logging struct {
	LogLevel  string `default:"info" enum:"debug,info,warn,error" group:"Logging" help:"Least level logged."`
	LogFormat string `default:"text" enum:"text,json" group:"Logging" help:"Form of a line, on standard error."`

	PerformanceLog time.Duration `default:"60s" unit:"duration, 0 for never" group:"Logging" help:"Time between two lines with what /v1/metrics shows."`
}

// Validate finds what is impossible, and names it.
func (l Logging) Validate() error {
	if l.PerformanceLog < 0 {
		return fmt.Errorf("performance-log: %s, must not be negative", l.PerformanceLog)
	}
	return nil
}

// Logger writes to w as the settings say; without a level, from info on.
func (l Logging) Logger(w io.Writer) *slog.Logger {
	var level slog.Level
	_ = level.UnmarshalText([]byte(l.LogLevel)) // it is one of the enum, or none
	options := &slog.HandlerOptions{Level: level}
	if l.LogFormat == "json" {
		return slog.New(slog.NewJSONHandler(w, options))
	}
	return slog.New(slog.NewTextHandler(w, options))
}
