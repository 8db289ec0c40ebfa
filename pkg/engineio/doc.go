// Package engineio serves Engine.IO v4 (github.com/socketio/engine.io-protocol, revision 4) over
// HTTP long-polling and WebSocket. "§ Heartbeat" in a comment names a heading there.
//
//	request ──▶ Server ──▶ handshake ──▶ Session ◀── Frame (encoded once, for any number of sessions)
//	                                       │ │
//	                               polling ┘ └ WebSocket: written by whoever sends, without waking anyone
//
// Sizes are bytes; times are time.Duration here and whole milliseconds on the wire. The package
// returns errors and never logs. JSONP is not served: it exists for browsers older than CORS, and
// runs what a foreign page names.
//
// Where the reference server has a race or a defect, this one does the deterministic thing instead:
//
//   - A WebSocket without EIO=4, or whose id cannot be made, is refused in the handshake's place with
//     HTTP 400 and the message; the reference accepts it and writes that answer into it.
//   - A client's "1" ends a WebSocket at once, not with the next ping timeout.
//   - A poll is released once when its client probes; those that follow before "5" last 50 ms.
//   - An answer to a body that was not read (400, 413) closes its connection, as nobody reads the rest.
//   - A session that is cut for not reading ends with a reason of its own, "slow consumer".
//
// A Server and its Sessions may be used by any number of goroutines at the same time. A Session's
// Receiver gets its messages one after another.
package engineio
