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
// A Server and its Sessions may be used by any number of goroutines at the same time. A Session's
// Receiver gets its messages one after another.
package engineio
