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
		return fmt.Errorf("SUITE=%q: must be one of %s", name, names(suites))
	}
	p, err := s.open(variable)
	if err != nil {
		return err
	}
	l := listeners{name: name, failed: make(chan error, 2)}
	err = l.listen("PORT", cmp.Or(variable("PORT"), s.port), p.clients)
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
	err = errors.Join(err, p.close(bounded))
	for _, s := range l.servers {
		err = errors.Join(err, s.Close()) // no session is left whose answer is to be waited for
	}
	return err
}

func names[V any](of map[string]V) string { return strings.Join(slices.Sorted(maps.Keys(of)), ", ") }

// listeners are what is open for a suite.
type listeners struct {
	name    string // of the suite
	servers []*http.Server
	failed  chan error // has room for the end of each
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
	l.servers = append(l.servers, server)
	go func() { l.failed <- server.Serve(listener) }()
	return nil
}
