// Conformance serves the peers of the official client suites and of the bench, on 127.0.0.1. Its
// settings are variables:
//
//	SUITE       eio-protocol, sio-protocol, eio-client, sio-client, redis-cluster or bench
//	PORT        for clients; unset means where the official suite looks for its server (3000, for
//	            sio-client 3210), 0 any that is free; redis-cluster and bench need it set
//	CTRL_PORT   where the bench gives its orders
//	REDIS_PORT  of redis-cluster, on 127.0.0.1
//	MODE        of redis-cluster: classic, specific, sharded or sharded-static
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

// suite is a peer to make, which may read variables, and the port where its clients look for it; empty
// means that PORT says.
type suite struct {
	open func(variable func(string) string) (peer, error)
	port string
}

// always makes a peer that nothing has to be told.
func always(open func() peer) func(func(string) string) (peer, error) {
	return func(func(string) string) (peer, error) { return open(), nil }
}

var suites = map[string]suite{
	"eio-protocol":  {always(newEngineProtocol), "3000"},
	"sio-protocol":  {always(newSocketProtocol), "3000"},
	"eio-client":    {always(newEngineClient), "3000"},
	"sio-client":    {always(newSocketClient), "3210"},
	"redis-cluster": {newRedisCluster, ""},
	"bench":         {always(newBench), ""},
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, os.Interrupt)
	defer stop()
	if err := run(ctx, os.Getenv); err != nil {
		fmt.Fprintln(os.Stderr, "conformance-server:", err)
		os.Exit(1)
	}
}
