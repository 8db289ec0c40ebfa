package tracing

import (
	"strings"

	"go.opentelemetry.io/contrib/instrumentation/google.golang.org/grpc/otelgrpc"
	"go.opentelemetry.io/otel/metric/noop"
	"google.golang.org/grpc"
	"google.golang.org/grpc/stats"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
)

// ServerOptions trace the calls that a gRPC server answers, each one that is no stream: a stream of hours is no
// span, and its messages have spans of their own. None without a tracer.
func (t *Tracer) ServerOptions() []grpc.ServerOption {
	if t == nil {
		return nil
	}
	return []grpc.ServerOption{grpc.StatsHandler(otelgrpc.NewServerHandler(t.calls()...))}
}

// DialOptions trace the calls that a gRPC client makes, likewise.
func (t *Tracer) DialOptions() []grpc.DialOption {
	if t == nil {
		return nil
	}
	return []grpc.DialOption{grpc.WithStatsHandler(otelgrpc.NewClientHandler(t.calls()...))}
}

func (t *Tracer) calls() []otelgrpc.Option {
	return []otelgrpc.Option{
		otelgrpc.WithTracerProvider(t.provider), otelgrpc.WithPropagators(w3c), otelgrpc.WithMeterProvider(noop.NewMeterProvider()),
		otelgrpc.WithFilter(func(call *stats.RPCTagInfo) bool { return worthASpan(call.FullMethodName) }),
	}
}

// worthASpan leaves out streams, and gRPC's own services: health, which is asked all the time, and reflection.
func worthASpan(method string) bool {
	name := strings.ReplaceAll(strings.TrimPrefix(method, "/"), "/", ".")
	if strings.HasPrefix(name, "grpc.") {
		return false
	}
	found, err := protoregistry.GlobalFiles.FindDescriptorByName(protoreflect.FullName(name))
	descriptor, is := found.(protoreflect.MethodDescriptor)
	return err == nil && is && !descriptor.IsStreamingClient() && !descriptor.IsStreamingServer()
}
