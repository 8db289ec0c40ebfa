// Package e2e runs the built programs and asks the official clients what they see: socket.io-client
// in Node and in Chromium, and a bot in JavaScript. What bin/ holds is tested; make build puts it there.
//
// Tests wait for events, each with a deadline; a failure shows what every child process said.
package e2e
