package commands

import (
	"context"

	"github.com/nats-io/nats.go"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/trace"

	"github.com/pona-realtime/pona/pkg/tracing"
	edgev1 "github.com/pona-realtime/pona/proto/pona/edge/v1"
)

// trace begins the span of a command that a bot of this fanout is asked; end ends it.
func (s *Server) trace(ctx context.Context, r *edgev1.DispatchRequest, b *bot) (_ context.Context, end func(error)) {
	if s.options.Tracer == nil {
		return ctx, func(error) {}
	}
	ctx, span := s.options.Tracer.Start(ctx, "ask bot", trace.WithSpanKind(trace.SpanKindClient), trace.WithAttributes(
		tracing.Guild(r.GetGuildId()),
		attribute.String("pona.command", r.GetName()),
		attribute.String("pona.command.id", r.GetCommandId()),
		attribute.String("pona.bot", b.name),
	))
	return ctx, func(err error) { tracing.End(span, err) }
}

// traced is a context in the span that another fanout's request names, if this one traces.
func (s *Server) traced(header nats.Header) context.Context {
	if s.options.Tracer == nil {
		return context.Background()
	}
	return tracing.Extract(context.Background(), header.Get(tracing.Header))
}
