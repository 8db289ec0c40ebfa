package gateway

import (
	"context"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/trace"

	"github.com/pona-realtime/pona/pkg/socketio"
	"github.com/pona-realtime/pona/pkg/tracing"
)

// traceEmit begins a span of sending packets, which ends when the last socket has been written to. It returns what
// is to be called then, in place of written.
func (g *Gateway) traceEmit(room string, packets []*socketio.Packet, traceparent string, written func(sockets, bytes int)) func(sockets, bytes int) {
	span := g.options.Tracer.Follow(traceparent, "emit", trace.WithSpanKind(trace.SpanKindProducer))
	if span == nil {
		return written
	}
	return func(sockets, bytes int) {
		events := make([]string, len(packets))
		for i, p := range packets {
			events[i] = p.Event()
		}
		span.SetAttributes(
			attribute.StringSlice("pona.events", events),
			attribute.String("pona.room", room),
			attribute.Int("pona.sockets", sockets),
			attribute.Int("pona.bytes", bytes),
		)
		span.End()
		if written != nil {
			written(sockets, bytes)
		}
	}
}

// trace begins the span of a command, the first of its trace; end ends it, when it has been acknowledged.
func (g *Gateway) trace(ctx context.Context, l *listener, e *socketio.Event) (_ context.Context, end func()) {
	if g.options.Tracer == nil {
		return ctx, func() {}
	}
	ctx, span := g.options.Tracer.Start(ctx, "command", trace.WithSpanKind(trace.SpanKindServer), trace.WithAttributes(
		tracing.Guild(l.guildID),
		attribute.String("pona.command", e.Name),
		attribute.String("pona.socket", e.Socket.ID()),
	))
	return ctx, func() { span.End() }
}
