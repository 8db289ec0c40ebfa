package tracing

import (
	"context"
	"strconv"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"
)

// Header is the name of the header, in NATS and in gRPC metadata, that carries a traceparent.
const Header = "traceparent"

// w3c is how a trace travels. A tracestate is left behind: Trace Context allows it, and nobody here reads one.
var w3c propagation.TraceContext

// Traceparent names a span for others (W3C Trace Context, § traceparent Header); empty for one that
// is not sampled, which others need not hear of.
func Traceparent(span trace.Span) string {
	if span == nil || !span.SpanContext().IsSampled() {
		return ""
	}
	carrier := propagation.MapCarrier{}
	w3c.Inject(trace.ContextWithSpan(context.Background(), span), carrier)
	return carrier[Header]
}

// Extract gives ctx the span that a traceparent names, as the parent of what is started in it. A
// text that is none changes nothing.
func Extract(ctx context.Context, traceparent string) context.Context {
	if traceparent == "" {
		return ctx
	}
	return w3c.Extract(ctx, propagation.MapCarrier{Header: traceparent})
}

// Guild is the attribute of a span that names a guild: a text, because viewers round numbers of this size.
func Guild(id uint64) attribute.KeyValue {
	return attribute.String("pona.guild", strconv.FormatUint(id, 10))
}
