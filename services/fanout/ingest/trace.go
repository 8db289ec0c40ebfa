package ingest

import (
	"context"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/trace"

	"github.com/pona-realtime/pona/pkg/tracing"
	botv1 "github.com/pona-realtime/pona/proto/pona/bot/v1"
	"github.com/pona-realtime/pona/services/fanout/stream"
)

// traced is submit in a span of the request, where there is a tracer; gRPC makes none for the messages of a stream.
func (s *Server) traced(ctx context.Context, r *botv1.PublishStreamRequest, fail context.CancelCauseFunc) (*submission, error) {
	if s.tracer == nil {
		return s.submit(ctx, r.GetEvents(), fail)
	}
	ctx, span := s.tracer.Start(tracing.Extract(ctx, r.GetTraceparent()), "publish", trace.WithSpanKind(trace.SpanKindServer),
		trace.WithAttributes(attribute.Int("pona.events", len(r.GetEvents()))))
	sub, err := s.submit(ctx, r.GetEvents(), fail)
	if err != nil {
		tracing.End(span, err)
		return nil, err
	}
	if span.IsRecording() {
		s.readers.Go(func() { <-sub.done; tracing.End(span, sub.err) })
	}
	return sub, nil
}

// trace begins the span of a job, the one that goes with the event.
func (s *Server) trace(j job) trace.Span {
	_, span := s.tracer.Start(j.ctx, "store", trace.WithSpanKind(trace.SpanKindProducer), trace.WithAttributes(
		tracing.Guild(j.event.GetGuildId()),
		attribute.String("pona.event", stream.Kind(j.event)),
		attribute.String("messaging.system", "nats"),
		attribute.String("messaging.message.id", j.event.GetEventId()),
		attribute.Int("messaging.message.body.size", len(j.encoded)),
	))
	return span
}
