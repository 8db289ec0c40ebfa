// Package tracing sends spans of what a service does to an OpenTelemetry collector, over OTLP/gRPC.
//
// Its truth is opentelemetry.io/docs/specs/otel (Configuration: the OTEL_… variables) and W3C Trace
// Context, whose traceparent is how a trace travels here: in gRPC metadata, in a header of NATS, or in a
// field of a message, and only where the trace is sampled. A nil *Tracer traces nothing, and every method of it returns
// at once without allocating: callers make attributes only for a Tracer that is there. There is no
// global state; several services of one process have a Tracer each.
package tracing

import (
	"context"
	"fmt"
	"log/slog"
	"net/url"
	"os"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracegrpc"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"
)

// Traces are the settings of where spans go and how many; they are embedded in a service's own.
type Traces struct {
	TraceEndpoint string  `unit:"URL" group:"Tracing" help:"Collector that spans are sent to over OTLP/gRPC, such as http://collector:4317; https means TLS. Empty: the one of OTEL_EXPORTER_OTLP_ENDPOINT, and without that nothing is traced. The other OTEL_ variables hold too."`
	TraceRatio    float64 `default:"0" unit:"0 to 1" group:"Tracing" help:"Part of the events and commands traced whose sender does not say whether they are. A bot says so with a traceparent."`
}

// Validate finds settings that are impossible. The error names them.
func (s Traces) Validate() error {
	if !(s.TraceRatio >= 0 && s.TraceRatio <= 1) { // NaN is neither
		return fmt.Errorf("trace-ratio: %v, must be 0 to 1", s.TraceRatio)
	}
	if s.TraceEndpoint != "" {
		u, err := url.Parse(s.TraceEndpoint)
		if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
			return fmt.Errorf("trace-endpoint: %q, must be a URL such as http://collector:4317", s.TraceEndpoint)
		}
	}
	if s.TraceRatio > 0 && s.TraceEndpoint == "" && !endpointInEnvironment() {
		return fmt.Errorf("trace-ratio: %v, needs trace-endpoint", s.TraceRatio)
	}
	return nil
}

// on says whether there is somewhere to send spans.
func (s Traces) on() bool {
	if os.Getenv("OTEL_SDK_DISABLED") == "true" || os.Getenv("OTEL_TRACES_EXPORTER") == "none" {
		return false
	}
	return s.TraceEndpoint != "" || endpointInEnvironment()
}

func endpointInEnvironment() bool {
	return os.Getenv("OTEL_EXPORTER_OTLP_ENDPOINT") != "" || os.Getenv("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT") != ""
}

// Tracer starts spans. All methods may be called at the same time, and of a nil one too.
type Tracer struct {
	provider *sdktrace.TracerProvider
	spans    trace.Tracer
}

// Process says whose spans these are.
type Process struct {
	Name    string // service.name, unless OTEL_SERVICE_NAME says another
	Version string
	ID      string // service.instance.id
}

// New makes a tracer, nil where the settings ask for none. Nothing is dialled yet, and a collector that
// does not answer holds up nobody: spans wait in a bounded queue (OTEL_BSP_MAX_QUEUE_SIZE, 2048), beyond
// which they are dropped. Close must follow.
func New(s Traces, p Process, log *slog.Logger) (*Tracer, error) {
	if !s.on() {
		return nil, nil
	}
	ctx := context.Background()
	of, err := resource.New(ctx, resource.WithTelemetrySDK(), resource.WithAttributes(
		attribute.String("service.name", p.Name),
		attribute.String("service.version", p.Version),
		attribute.String("service.instance.id", p.ID),
	), resource.WithFromEnv())
	if err != nil {
		return nil, fmt.Errorf("OTEL_RESOURCE_ATTRIBUTES: %w", err)
	}
	var options []otlptracegrpc.Option
	if s.TraceEndpoint != "" {
		options = append(options, otlptracegrpc.WithEndpointURL(s.TraceEndpoint))
	}
	otlp, err := otlptracegrpc.New(ctx, options...)
	if err != nil {
		return nil, fmt.Errorf("trace-endpoint: %w", err)
	}
	return tracerOf(s, of, &exporter{SpanExporter: otlp, log: log}), nil
}

func tracerOf(s Traces, of *resource.Resource, to sdktrace.SpanExporter) *Tracer {
	providing := []sdktrace.TracerProviderOption{sdktrace.WithBatcher(to), sdktrace.WithResource(of)}
	if s.TraceRatio > 0 || os.Getenv("OTEL_TRACES_SAMPLER") == "" {
		providing = append(providing, sdktrace.WithSampler(sdktrace.ParentBased(sdktrace.TraceIDRatioBased(s.TraceRatio))))
	}
	provider := sdktrace.NewTracerProvider(providing...)
	return &Tracer{provider: provider, spans: provider.Tracer("github.com/pona-realtime/pona")}
}

// Close sends what waits, as long as ctx lasts.
func (t *Tracer) Close(ctx context.Context) error {
	if t == nil {
		return nil
	}
	return t.provider.Shutdown(ctx)
}

// Start starts a span under the one of ctx; without one it is the first of a trace, which TraceRatio
// decides about. Without a tracer the span is one that does nothing.
func (t *Tracer) Start(ctx context.Context, name string, options ...trace.SpanStartOption) (context.Context, trace.Span) {
	if t == nil {
		return ctx, trace.SpanFromContext(ctx)
	}
	return t.spans.Start(ctx, name, options...)
}

// Follow starts a span under the one that a traceparent from elsewhere names. It is nil where there is nothing
// to follow: without a tracer, and for a text that is empty, wrong, or of a trace that is not sampled.
func (t *Tracer) Follow(traceparent, name string, options ...trace.SpanStartOption) trace.Span {
	if t == nil || traceparent == "" {
		return nil
	}
	parent := trace.SpanContextFromContext(Extract(context.Background(), traceparent))
	if !parent.IsSampled() {
		return nil
	}
	_, span := t.spans.Start(trace.ContextWithRemoteSpanContext(context.Background(), parent), name, options...)
	return span
}

// Since is a span's start in the past.
func Since(at time.Time) trace.SpanStartOption { return trace.WithTimestamp(at) }

// End ends a span; an error, which may be nil, becomes its status.
func End(span trace.Span, err error) {
	if err != nil {
		span.SetStatus(codes.Error, err.Error())
	}
	span.End()
}
