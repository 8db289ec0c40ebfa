package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"net"
	"net/http"
	"os"
	"slices"
	"strings"
	"time"
)

// run serves the suite that the variables name, until ctx ends.
func run(ctx context.Context, variable func(string) string) error {
	name := variable("SUITE")
	s, ok := suites[name]
	if !ok {
		known := strings.Join(slices.Sorted(maps.Keys(suites)), ", ")
		return fmt.Errorf("SUITE=%q: must be one of %s", name, known)
	}
	p := s.open()
	l := listeners{name: name, failed: make(chan error, 2), teardown: []func(context.Context) error{p.close}}
	err := l.listen("PORT", cmp.Or(variable("PORT"), s.port), p.clients)
	if err == nil && p.control != nil {
		err = l.listen("CTRL_PORT", variable("CTRL_PORT"), p.control)
	}
	if err == nil {
		select {
		case <-ctx.Done():
		case err = <-l.failed:
		}
	}
	bounded, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	for _, f := range l.teardown {
		err = errors.Join(err, f(bounded))
	}
	return err
}

// listeners are what is open, and how it is closed again.
type listeners struct {
	name     string // of the suite
	failed   chan error
	teardown []func(context.Context) error
}

// listen serves a handler at the port that a variable gives.
func (l *listeners) listen(variable, port string, h http.Handler) error {
	if port == "" {
		return fmt.Errorf("%s is not set", variable)
	}
	listener, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", port))
	if err != nil {
		return fmt.Errorf("%s: %w", variable, err)
	}
	fmt.Fprintf(os.Stdout, "%s %s %s\n", l.name, variable, listener.Addr())
	server := &http.Server{Handler: h, ReadHeaderTimeout: 10 * time.Second}
	l.teardown = append(l.teardown, server.Shutdown)
	go func() { l.failed <- server.Serve(listener) }()
	return nil
}
