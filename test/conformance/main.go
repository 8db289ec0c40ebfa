// Conformance serves the peers of the official client suites and of the bench, on 127.0.0.1:
// SUITE says which, PORT where, CTRL_PORT where the bench gives its orders.
package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"
)

// suite is a server to listen with, and what ends its sessions.
type suite struct {
	clients http.Handler
	control http.Handler // nil: none
	close   func(context.Context) error
}

var suites = map[string]func() suite{
	"bench":        newBench,
	"eio-protocol": newEngineProtocol,
	"sio-protocol": newSocketProtocol,
	"eio-client":   newEngineClient,
	"sio-client":   newSocketClient,
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, os.Interrupt)
	defer stop()
	if err := run(ctx, os.Getenv("SUITE"), os.Getenv("PORT"), os.Getenv("CTRL_PORT")); err != nil {
		fmt.Fprintln(os.Stderr, "conformance-server:", err)
		os.Exit(1)
	}
}

// run serves a suite until ctx ends.
func run(ctx context.Context, name, port, controlPort string) error {
	open, ok := suites[name]
	if !ok {
		return fmt.Errorf("SUITE=%q is unknown", name)
	}
	s := open()
	failed := make(chan error, 2) // one for each listener
	teardown := []func(context.Context) error{s.close}
	listen := func(setting, port string, h http.Handler) error {
		listener, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", cmp.Or(port, "0")))
		if err != nil {
			return fmt.Errorf("%s: %w", setting, err)
		}
		server := &http.Server{Handler: h, ReadHeaderTimeout: 10 * time.Second}
		teardown = append(teardown, server.Shutdown)
		go func() { failed <- server.Serve(listener) }()
		return nil
	}
	err := listen("PORT", port, s.clients)
	if err == nil && s.control != nil {
		err = listen("CTRL_PORT", controlPort, s.control)
	}
	if err == nil {
		select {
		case <-ctx.Done():
		case err = <-failed:
		}
	}
	bounded, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	for _, f := range teardown {
		err = errors.Join(err, f(bounded))
	}
	return err
}
