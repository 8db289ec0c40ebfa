package tracing

import (
	"context"
	"log/slog"

	sdktrace "go.opentelemetry.io/otel/sdk/trace"
)

// exporter says in the log when a collector begins to refuse spans, and when it takes them again; the
// library would tell a global handler of each failure.
type exporter struct {
	sdktrace.SpanExporter
	log     *slog.Logger
	failing bool // used by the one goroutine that exports
}

// ExportSpans is sdktrace.SpanExporter's; calls never overlap. Spans that the collector did not take,
// after the library's own retries, are lost.
func (e *exporter) ExportSpans(ctx context.Context, spans []sdktrace.ReadOnlySpan) error {
	err := e.SpanExporter.ExportSpans(ctx, spans)
	switch {
	case err != nil && !e.failing:
		e.log.Warn("spans cannot be sent to the collector, and are lost", "error", err)
	case err == nil && e.failing:
		e.log.Info("the collector takes spans again")
	}
	e.failing = err != nil
	return nil
}
