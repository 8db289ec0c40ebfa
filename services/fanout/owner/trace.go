package owner

import (
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/trace"

	"github.com/pona-realtime/pona/pkg/tracing"
	edgev1 "github.com/pona-realtime/pona/proto/pona/edge/v1"
)

// trace begins the span of an event that is given to so many of the guild's edges, and makes it the parent of
// theirs; end ends it. A new owner folds again what lies after the last checkpoint, in spans of its own.
func (p *partition) trace(g *guild, d *edgev1.Delivery, edges int, more ...attribute.KeyValue) (end func()) {
	span := p.tracer.Follow(d.GetTraceparent(), "route", trace.WithSpanKind(trace.SpanKindConsumer), trace.WithAttributes(
		tracing.Guild(g.id),
		attribute.Int64("pona.partition", int64(p.lease.partition)),
		attribute.Int64("pona.sequence", int64(d.GetSequence())), //nolint:gosec // microseconds since 1970, and on
		attribute.Int("pona.edges", edges),
	), trace.WithAttributes(more...))
	if d.Traceparent = tracing.Traceparent(span); span == nil {
		return func() {}
	}
	return func() { span.End() }
}
