// Package clients runs the official npm clients (engine.io-client, socket.io-client and the MessagePack
// parser), in Node and in headless Chromium, against the built bin/conformance-server: the ground that
// the clients' own suites cover, and what browsers add to it. The tests stand in js, a module for each
// suite of the server; each is a subtest here.
package clients
