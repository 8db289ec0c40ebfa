package gateway

import (
	"context"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/trace"

	"github.com/pona-realtime/pona/pkg/socketio"
	"github.com/pona-realtime/pona/pkg/tracing"
)

// emitTraced sends packets in a span that ends when the last socket has been written to.
func (g *Gateway) emitTraced(to socketio.Broadcast, room string, packets []*socketio.Packet, traceparent string) {
	span := g.options.Tracer.Follow(traceparent, "emit", trace.WithSpanKind(trace.SpanKindProducer))
	if span == nil {
		_ = to.Send(packets...)
		return
	}
	events := make([]string, len(packets))
	for i, p := range packets {
		events[i] = p.Event()
	}
	reach, err := to.Deliver(packets...)
	span.SetAttributes(
		attribute.StringSlice("pona.events", events),
		attribute.String("pona.room", room),
		attribute.Int("pona.sockets", reach.Sockets),
		attribute.Int64("pona.bytes", reach.Bytes),
	)
	tracing.End(span, err)
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
