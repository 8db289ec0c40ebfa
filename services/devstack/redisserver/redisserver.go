// Package redisserver runs a Redis that nobody else uses: the real server as a child process where
// one is installed, otherwise a small one inside this process, which is enough for a demonstration.
package redisserver

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"os/exec"
	"runtime"
	"strings"
	"syscall"
	"time"

	"github.com/alicebob/miniredis/v2"

	"github.com/pona-realtime/pona/pkg/freeport"
)

const (
	attempts = 3               // to find a free port: between choosing and using one, another process may take it
	stopTime = 5 * time.Second // from SIGTERM until SIGKILL
)

// Server is a running Redis on a port of its own of the loopback interface.
type Server struct {
	Addr string // host:port
	Kind string // for people: "redis-server" with its path, or "embedded"

	embedded *miniredis.Miniredis
	child    *child
}

// Start runs a Redis and returns when it takes connections.
func Start(ctx context.Context) (*Server, error) {
	path, err := exec.LookPath("redis-server")
	if err != nil {
		return startEmbedded()
	}
	for range attempts {
		var s *Server
		if s, err = startChild(ctx, path); err == nil || ctx.Err() != nil {
			return s, err
		}
	}
	return nil, fmt.Errorf("redis-server: %w", err)
}

// Ended is closed when the server has ended, by Stop or by itself. An embedded one never does so by itself.
func (s *Server) Ended() <-chan struct{} {
	if s.child == nil {
		return nil
	}
	return s.child.ended
}

// Stop ends the server and waits for that.
func (s *Server) Stop() {
	if s.embedded != nil {
		s.embedded.Close()
		return
	}
	s.child.stop()
}

func startEmbedded() (*Server, error) {
	m := miniredis.NewMiniRedis()
	if err := m.StartAddr("127.0.0.1:0"); err != nil {
		return nil, fmt.Errorf("embedded Redis: %w", err)
	}
	return &Server{Addr: m.Addr(), Kind: "embedded", embedded: m}, nil
}

func startChild(ctx context.Context, path string) (*Server, error) {
	address, err := freeport.Take()
	if err != nil {
		return nil, err
	}
	_, port, _ := net.SplitHostPort(address)
	c := &child{
		cmd: exec.Command(path, "--port", port, "--bind", "127.0.0.1", "--save", "",
			"--appendonly", "no", "--daemonize", "no", "--logfile", ""),
		started: make(chan struct{}), ready: make(chan struct{}), ended: make(chan struct{}),
	}
	// It gets no Ctrl-C of ours, and never outlives us.
	c.cmd.SysProcAttr = ownGroup()
	go c.run()
	select {
	case <-c.ready:
		return &Server{Addr: address, Kind: path, child: c}, nil
	case <-c.ended:
		return nil, c.err
	case <-ctx.Done():
		c.stop()
		return nil, ctx.Err()
	}
}

// child is a redis-server process, owned by the goroutine of run.
type child struct {
	cmd     *exec.Cmd
	started chan struct{} // closed when the process exists
	ready   chan struct{} // closed when it takes connections
	ended   chan struct{} // closed when the process is gone, or could not be started
	err     error         // why; read after ended
}

// run starts the process and stays with it until it ends. The thread is kept because Linux ends a
// child whose death is tied to ours when the thread that made it ends.
func (c *child) run() {
	defer close(c.ended)
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	output, err := c.cmd.StdoutPipe()
	if err != nil {
		c.err = err
		return
	}
	if c.err = c.cmd.Start(); c.err != nil {
		return
	}
	close(c.started)
	ready, last := false, ""
	for lines := bufio.NewScanner(output); lines.Scan(); {
		last = lines.Text()
		if !ready && strings.Contains(last, "Ready to accept connections") {
			ready = true
			close(c.ready)
		}
	}
	c.err = errors.Join(c.cmd.Wait(), errors.New(last))
}

func (c *child) stop() {
	select {
	case <-c.started:
	case <-c.ended:
		return
	}
	_ = c.cmd.Process.Signal(syscall.SIGTERM) // it has ended already when this fails
	select {
	case <-c.ended:
	case <-time.After(stopTime):
		_ = c.cmd.Process.Kill()
		<-c.ended
	}
}
