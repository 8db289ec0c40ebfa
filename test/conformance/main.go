// Conformance serves the peers of the official client suites and of the bench, on 127.0.0.1. Its
// settings are variables:
//
//	SUITE       eio-protocol, sio-protocol, eio-client, sio-client or bench
//	PORT        for clients; unset means where the official suite looks for its server (3000, for
//	            sio-client 3210), 0 any that is free. The bench names its own.
//	CTRL_PORT   where the bench gives its orders
//
// The line on stdout says where it listens.
package main

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"os/signal"
	"syscall"
)

// peer is a server to listen with, and what ends its sessions.
type peer struct {
	clients http.Handler
	control http.Handler // nil: none
	close   func(context.Context) error
}

// suite is a peer to make, and the port where its clients look for it; empty means that PORT says.
type suite struct {
	open func() peer
	port string
}

var suites = map[string]suite{
	"eio-protocol": {newEngineProtocol, "3000"},
	"sio-protocol": {newSocketProtocol, "3000"},
	"eio-client":   {newEngineClient, "3000"},
	"sio-client":   {newSocketClient, "3210"},
	"bench":        {newBench, ""},
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, os.Interrupt)
	defer stop()
	if err := run(ctx, os.Getenv); err != nil {
		fmt.Fprintln(os.Stderr, "conformance-server:", err)
		os.Exit(1)
	}
}
