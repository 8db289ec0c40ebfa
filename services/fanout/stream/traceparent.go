package stream

import (
	"github.com/nats-io/nats.go"

	"github.com/pona-realtime/pona/pkg/tracing"
)

// inject says in a message's header which span its event comes from; empty for none.
func inject(header nats.Header, traceparent string) nats.Header {
	if traceparent == "" {
		return header
	}
	if header == nil {
		header = nats.Header{}
	}
	header[tracing.Header] = []string{traceparent}
	return header
}

// traceparent is which span a message's event comes from; empty for none, and where nobody traces.
func (s *Stream) traceparent(header nats.Header) string {
	if !s.traced {
		return ""
	}
	return header.Get(tracing.Header)
}
