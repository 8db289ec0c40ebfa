package tracing

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"strings"
	"testing"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"
)

const sampled, notSampled = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00"

// tracerWith makes a tracer whose spans nobody gets.
func tracerWith(t testing.TB, ratio float64) *Tracer {
	t.Helper()
	of := resource.NewSchemaless(attribute.String("service.name", "test"))
	tracer := tracerOf(Traces{TraceRatio: ratio}, of, tracetest.NewNoopExporter())
	t.Cleanup(func() {
		if err := tracer.Close(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return tracer
}

func TestWithoutATracerNothingIsAllocated(t *testing.T) {
	var off *Tracer
	ctx := t.Context()
	if n := testing.AllocsPerRun(100, func() {
		_, span := off.Start(ctx, "x")
		if off.Follow(sampled, "x") != nil || Traceparent(span) != "" {
			t.Error("a span came of nothing")
		}
		End(span, nil)
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
	if off.ServerOptions() != nil || off.DialOptions() != nil || off.Close(ctx) != nil {
		t.Error("nothing has options, or ends badly")
	}
	on := tracerWith(t, 0)
	if n := testing.AllocsPerRun(100, func() { on.Follow("", "x") }); n != 0 {
		t.Errorf("%v allocations for an event that is not traced", n)
	}
}

func TestWhoIsTraced(t *testing.T) {
	for _, c := range []struct {
		ratio  float64
		parent string
		want   bool
	}{
		{0, "", false}, {0, sampled, true}, {0, notSampled, false}, {0, "nonsense", false},
		{1, "", true}, {1, sampled, true}, {1, notSampled, false}, {1, "nonsense", true},
	} {
		tracer := tracerWith(t, c.ratio)
		_, span := tracer.Start(Extract(t.Context(), c.parent), "x")
		own := Traceparent(span)
		if (own != "") != c.want {
			t.Errorf("%+v: traceparent %q", c, own)
		}
		if c.want && c.parent == sampled && own[:35] != sampled[:35] {
			t.Errorf("%q is not of the trace of %q", own, sampled)
		}
		span.End()
		// Who is told of no sampled trace begins none.
		if span := tracer.Follow(c.parent, "x"); (span != nil) != (c.parent == sampled) {
			t.Errorf("%+v: followed by %v", c, span)
		}
	}
}

func TestFollowedSpan(t *testing.T) {
	span := tracerWith(t, 0).Follow(sampled, "x", trace.WithSpanKind(trace.SpanKindConsumer))
	defer span.End()
	s := span.(sdktrace.ReadOnlySpan)
	if !s.Parent().IsRemote() || s.Parent().SpanID().String() != sampled[36:52] {
		t.Errorf("parent %+v", s.Parent())
	}
	if name, _ := s.Resource().Set().Value("service.name"); name.AsString() != "test" {
		t.Errorf("of %v", s.Resource())
	}
}

func TestWhatTurnsTracingOn(t *testing.T) {
	for name, c := range map[string]struct {
		env map[string]string
		set Traces
		on  bool
	}{
		"nothing":           {nil, Traces{}, false},
		"the setting":       {nil, Traces{TraceEndpoint: "http://127.0.0.1:1"}, true},
		"a variable":        {map[string]string{"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:1"}, Traces{}, true},
		"another variable":  {map[string]string{"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://127.0.0.1:1"}, Traces{TraceRatio: 1}, true},
		"a switch":          {map[string]string{"OTEL_SDK_DISABLED": "true"}, Traces{TraceEndpoint: "http://127.0.0.1:1"}, false},
		"no exporter":       {map[string]string{"OTEL_TRACES_EXPORTER": "none"}, Traces{TraceEndpoint: "http://127.0.0.1:1"}, false},
		"a sampler's words": {map[string]string{"OTEL_TRACES_SAMPLER": "always_on"}, Traces{TraceEndpoint: "http://127.0.0.1:1"}, true},
	} {
		t.Run(name, func(t *testing.T) {
			for key, value := range c.env {
				t.Setenv(key, value)
			}
			if err := c.set.Validate(); err != nil {
				t.Fatal(err)
			}
			tracer, err := New(c.set, Process{Name: "test"}, slog.New(slog.DiscardHandler))
			if err != nil || (tracer != nil) != c.on {
				t.Fatalf("%v, %v", tracer, err)
			}
			_, span := tracer.Start(t.Context(), "x")
			wanted := c.on && (c.set.TraceRatio == 1 || c.env["OTEL_TRACES_SAMPLER"] == "always_on")
			if (Traceparent(span) != "") != wanted {
				t.Errorf("traced: %q, want %t", Traceparent(span), wanted)
			}
			if err := tracer.Close(t.Context()); err != nil { // the span has not ended: nothing is to be sent
				t.Error(err)
			}
		})
	}
}

func TestImpossibleSettings(t *testing.T) {
	for setting, s := range map[string]Traces{
		"trace-ratio: 2, must be 0 to 1":                                     {TraceRatio: 2, TraceEndpoint: "http://x:1"},
		"trace-ratio: 0.5, needs trace-endpoint":                             {TraceRatio: .5},
		`trace-endpoint: "x:1", must be a URL such as http://collector:4317`: {TraceEndpoint: "x:1"},
	} {
		if err := s.Validate(); err == nil || err.Error() != setting {
			t.Errorf("%v, want %s", err, setting)
		}
	}
}

// refusing is a collector that takes nothing.
type refusing struct{ err error }

func (r *refusing) ExportSpans(context.Context, []sdktrace.ReadOnlySpan) error { return r.err }
func (r *refusing) Shutdown(context.Context) error                             { return nil }

func TestTroubleIsSaidOnce(t *testing.T) {
	var out bytes.Buffer
	to := &refusing{errors.New("full")}
	e := &exporter{SpanExporter: to, log: slog.New(slog.NewTextHandler(&out, nil))}
	for range 3 {
		if err := e.ExportSpans(t.Context(), nil); err != nil {
			t.Error(err)
		}
	}
	to.err = nil
	_, _ = e.ExportSpans(t.Context(), nil), e.ExportSpans(t.Context(), nil)
	if lines := strings.Count(out.String(), "\n"); lines != 2 || !strings.Contains(out.String(), "error=full") {
		t.Errorf("said %s", out.String())
	}
}

func TestStreamsAreNoSpans(t *testing.T) {
	for method, want := range map[string]bool{
		"/pona.none.v1.NoService/Call":                                false,
		"/grpc.health.v1.Health/Check":                                false,
		"/opentelemetry.proto.collector.trace.v1.TraceService/Export": true, // the one in this binary that is no stream
		"/grpc.reflection.v1.ServerReflection/ServerReflectionInfo":   false,
		"nonsense": false,
	} {
		if is := worthASpan(method); is != want {
			t.Errorf("%s: %t", method, is)
		}
	}
}

// BenchmarkHop is what tracing adds to an event at one hop: nothing where it is off, or the event is not traced.
func BenchmarkHop(b *testing.B) {
	hop := func(b *testing.B, t *Tracer, traceparent string) {
		b.ReportAllocs()
		for b.Loop() {
			if traceparent == "" {
				continue
			}
			if span := t.Follow(traceparent, "hop", trace.WithAttributes(Guild(1))); span != nil {
				_ = Traceparent(span)
				span.End()
			}
		}
	}
	b.Run("off", func(b *testing.B) { hop(b, nil, "") })
	b.Run("not sampled", func(b *testing.B) { hop(b, tracerWith(b, 0), "") })
	b.Run("sampled", func(b *testing.B) { hop(b, tracerWith(b, 0), sampled) })
	b.Run("first of a trace, not sampled", func(b *testing.B) {
		t := tracerWith(b, 0)
		b.ReportAllocs()
		for b.Loop() {
			_, span := t.Start(b.Context(), "store", trace.WithAttributes(Guild(1)))
			span.End()
		}
	})
}
