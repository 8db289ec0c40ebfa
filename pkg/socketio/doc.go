// Package socketio serves Socket.IO v5 (github.com/socketio/socket.io-protocol, revision 5) on
// pkg/engineio. Names follow the Node server's.
//
//	engineio.Session ──▶ connection ──▶ Socket (one for each namespace) ◀── room ◀── Namespace ◀── Broadcast
//
// A server that greets, and relays what clients say to the others:
//
//	io := socketio.NewServer(socketio.Options{})
//	io.Of("/").OnConnection(func(s *socketio.Socket) {
//		_ = s.Emit("hello", s.ID())
//		s.On("say", func(e *socketio.Event) {
//			var text string
//			if e.Args.Decode(&text) == nil {
//				_ = s.Broadcast().Emit("said", text)
//			}
//		})
//	})
//	http.Handle("/socket.io/", io)
//
// docs/library.md has a whole program, and the names of the Node server beside those of this package.
//
// Each connection chooses how its packets travel: as the protocol has it (JSON and attachments, npm
// socket.io-parser 4), or with parser=msgpack in its query as npm socket.io-msgpack-parser 3 does.
//
// Everything is safe for concurrent use unless it says otherwise. What is sent to one socket, by
// whichever way, arrives in the order of the calls. The package never logs.
package socketio
