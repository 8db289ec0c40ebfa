package main

import (
	"time"

	"github.com/pona-realtime/pona/pkg/socketio"
)

// newSocketProtocol serves the Socket.IO protocol's suite.
func newSocketProtocol() suite {
	server := socketio.NewServer(socketio.Options{Engine: protocolEngine(), ConnectTimeout: time.Second})
	for _, name := range []string{"/", "/custom"} {
		server.Of(name).OnConnection(func(s *socketio.Socket) { _ = s.Emit("auth", s.Handshake().Auth) })
	}
	server.Of("/").OnConnection(func(s *socketio.Socket) {
		s.On("message", func(e *socketio.Event) { _ = s.Emit("message-back", values(e.Args)...) })
		s.On("message-with-ack", func(e *socketio.Event) { _ = e.Ack(values(e.Args)...) })
	})
	return suite{clients: server, close: server.Close}
}

// values are arguments to send back as they came.
func values(args socketio.Args) []any {
	out := make([]any, len(args))
	for i, a := range args {
		out[i] = a.JSON()
		if b, ok := a.Bytes(); ok {
			out[i] = b
		}
	}
	return out
}
