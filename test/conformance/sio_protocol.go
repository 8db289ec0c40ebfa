package main

import (
	"time"

	"github.com/pona-realtime/pona/pkg/socketio"
)

// apart is how far two packets must be apart for a client to get each in a read of its own.
const apart = 10 * time.Millisecond

// newSocketProtocol serves the Socket.IO protocol's suite.
func newSocketProtocol() peer {
	server := socketio.NewServer(socketio.Options{Engine: protocolEngine(), ConnectTimeout: time.Second})
	for _, name := range []string{"/", "/custom"} {
		server.Of(name).OnConnection(func(s *socketio.Socket) {
			// The suite waits for one message after another, and would miss this one where it came in
			// the same read as the answer to CONNECT.
			time.Sleep(apart)
			_ = s.Emit("auth", s.Handshake().Auth)
		})
	}
	server.Of("/").OnConnection(func(s *socketio.Socket) {
		s.On("message", func(e *socketio.Event) { _ = s.Emit("message-back", values(e.Args)...) })
		s.On("message-with-ack", func(e *socketio.Event) { _ = e.Ack(values(e.Args)...) })
	})
	return peer{clients: server, close: server.Close}
}
