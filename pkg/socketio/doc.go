// Package socketio serves Socket.IO v5 (github.com/socketio/socket.io-protocol, revision 5) on
// pkg/engineio. Names follow the Node server's.
//
//	engineio.Session ──▶ connection ──▶ Socket (one for each namespace) ◀── room ◀── Namespace ◀── Broadcast
//
// Each connection chooses how its packets travel: as the protocol has it (JSON and attachments, npm
// socket.io-parser 4), or with parser=msgpack in its query as npm socket.io-msgpack-parser 3 does.
//
// Everything is safe for concurrent use unless it says otherwise. What is sent to one socket, by
// whichever way, arrives in the order of the calls. The package never logs.
package socketio
