package link

import (
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/trace"

	"github.com/pona-realtime/pona/pkg/tracing"
	edgev1 "github.com/pona-realtime/pona/proto/pona/edge/v1"
	playerv1 "github.com/pona-realtime/pona/proto/pona/player/v1"
)

// trace makes a span of a delivery's way through this edge, from its coming on until it has been given to who
// writes, the parent of what is emitted; end ends it.
func (s *stream) trace(d *edgev1.Delivery, event *playerv1.Event, came time.Time) (end func()) {
	span := s.links.options.Tracer.Follow(d.GetTraceparent(), "deliver", tracing.Since(came),
		trace.WithSpanKind(trace.SpanKindConsumer), trace.WithAttributes(
			tracing.Guild(d.GetGuildId()),
			attribute.Int64("pona.sequence", int64(d.GetSequence())), //nolint:gosec // microseconds since 1970, and on
			attribute.String("messaging.message.id", event.GetEventId()),
		))
	if d.Traceparent = tracing.Traceparent(span); span == nil {
		return func() {}
	}
	return func() { span.End() }
}
