// Package natsserver runs a real NATS server with JetStream inside this process.
package natsserver

import (
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/nats-io/nats-server/v2/server"
)

const (
	maxPayload = 8 << 20          // bytes of one message: a queue of 500 tracks fits
	startTime  = 10 * time.Second // until it must take connections; its files may have to be recovered
)

// Server is a running NATS server on a port of its own of the loopback interface.
type Server struct {
	server *server.Server
	dir    string // to be removed in the end; empty when the caller gave one
}

// Start runs a server that keeps its streams in dir, or, when that is empty, in a temporary folder
// that Stop removes.
func Start(dir string) (*Server, error) {
	s := &Server{}
	if dir == "" {
		made, err := os.MkdirTemp("", "pona-nats-")
		if err != nil {
			return nil, fmt.Errorf("a folder for NATS: %w", err)
		}
		s.dir, dir = made, made
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("the folder for NATS: %w", err)
	}
	var err error
	s.server, err = server.NewServer(&server.Options{
		ServerName: "devstack", Host: "127.0.0.1", Port: server.RANDOM_PORT,
		JetStream: true, StoreDir: dir, MaxPayload: maxPayload, NoLog: true, NoSigs: true,
	})
	if err != nil {
		return nil, errors.Join(fmt.Errorf("embedded NATS: %w", err), s.clean())
	}
	s.server.Start()
	if !s.server.ReadyForConnections(startTime) {
		s.server.Shutdown()
		s.server.WaitForShutdown()
		return nil, errors.Join(fmt.Errorf("embedded NATS does not take connections; is %s writable?", dir), s.clean())
	}
	return s, nil
}

// URL is where clients connect.
func (s *Server) URL() string { return s.server.ClientURL() }

// Stop ends the server, waits for that, and removes what is temporary.
func (s *Server) Stop() error {
	s.server.Shutdown()
	s.server.WaitForShutdown()
	return s.clean()
}

func (s *Server) clean() error {
	if s.dir == "" {
		return nil
	}
	return os.RemoveAll(s.dir)
}
