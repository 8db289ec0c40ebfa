package e2e

import (
	"context"
	"encoding/hex"
	"net"
	"slices"
	"sync"
	"testing"
	"time"

	collector "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	common "go.opentelemetry.io/proto/otlp/common/v1"
	"google.golang.org/grpc"
)

// spanCollector takes spans over OTLP, as a collector does.
type spanCollector struct {
	collector.UnimplementedTraceServiceServer
	url string

	mu    sync.Mutex
	spans []span
	more  chan struct{} // closed and replaced with every export
}

// span is what a test looks at of one.
type span struct {
	service, instance string // of its process
	name              string
	trace, id, parent string // hexadecimal
	attributes        map[string]any
}

func startCollector(t *testing.T) *spanCollector {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	c := &spanCollector{url: "http://" + listener.Addr().String(), more: make(chan struct{})}
	server := grpc.NewServer()
	collector.RegisterTraceServiceServer(server, c)
	served := make(chan error, 1)
	go func() { served <- server.Serve(listener) }()
	t.Cleanup(func() {
		server.Stop()
		if err := <-served; err != nil {
			t.Error(err)
		}
	})
	return c
}

// Export is the collector's: it keeps what comes.
func (c *spanCollector) Export(_ context.Context, r *collector.ExportTraceServiceRequest) (*collector.ExportTraceServiceResponse, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, of := range r.GetResourceSpans() {
		resource := attributes(of.GetResource().GetAttributes())
		for _, scope := range of.GetScopeSpans() {
			for _, s := range scope.GetSpans() {
				c.spans = append(c.spans, span{
					service: resource["service.name"].(string), instance: resource["service.instance.id"].(string), name: s.GetName(),
					trace: hex.EncodeToString(s.GetTraceId()), id: hex.EncodeToString(s.GetSpanId()), parent: hex.EncodeToString(s.GetParentSpanId()),
					attributes: attributes(s.GetAttributes()),
				})
			}
		}
	}
	close(c.more)
	c.more = make(chan struct{})
	return &collector.ExportTraceServiceResponse{}, nil
}

func attributes(pairs []*common.KeyValue) map[string]any {
	out := make(map[string]any, len(pairs))
	for _, p := range pairs {
		switch v := p.GetValue().GetValue().(type) {
		case *common.AnyValue_StringValue:
			out[p.GetKey()] = v.StringValue
		case *common.AnyValue_IntValue:
			out[p.GetKey()] = v.IntValue
		case *common.AnyValue_BoolValue:
			out[p.GetKey()] = v.BoolValue
		}
	}
	return out
}

// of waits until a trace has so many spans, and returns them.
func (c *spanCollector) of(t *testing.T, trace string, count int) []span {
	t.Helper()
	deadline := time.After(patience)
	for {
		c.mu.Lock()
		more := c.more
		found := slices.DeleteFunc(slices.Clone(c.spans), func(s span) bool { return s.trace != trace })
		c.mu.Unlock()
		if len(found) >= count {
			return found
		}
		select {
		case <-more:
		case <-deadline:
			t.Fatalf("%d spans of trace %s came, want %d: %+v", len(found), trace, count, found)
		}
	}
}

// traces are all that have come, by id: the names of their spans.
func (c *spanCollector) traces() map[string][]string {
	c.mu.Lock()
	defer c.mu.Unlock()
	names := map[string][]string{}
	for _, s := range c.spans {
		names[s.trace] = append(names[s.trace], s.service+" "+s.name)
	}
	return names
}
