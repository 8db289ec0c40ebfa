// Package redistest runs real Redis servers for tests, as child processes on loopback.
package redistest

import (
	"bufio"
	"errors"
	"net"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/pona-realtime/pona/pkg/freeport"
)

// Server is one redis-server process. It ends with its test.
type Server struct {
	Port   int
	args   []string
	config string // of a Sentinel

	t   testing.TB
	cmd *exec.Cmd
	out sync.WaitGroup // its output
}

// Start runs redis-server with arguments of its command line and returns when it takes connections, over TLS
// only where the arguments name a certificate.
func Start(t testing.TB, args ...string) *Server {
	t.Helper()
	return start(t, &Server{args: args})
}

// startSentinel runs a Sentinel with a configuration file, which it writes to.
func startSentinel(t testing.TB, config string, args ...string) *Server {
	t.Helper()
	return start(t, &Server{args: args, config: config})
}

func start(t testing.TB, s *Server) *Server {
	t.Helper()
	address, err := freeport.Take()
	if err != nil {
		t.Fatal(err)
	}
	_, port, _ := net.SplitHostPort(address)
	s.t = t
	s.Port, _ = strconv.Atoi(port)
	s.Restart()
	t.Cleanup(s.Kill)
	return s
}

// Addr is host and port.
func (s *Server) Addr() string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(s.Port)) }

// Restart runs the server again, on the same port, after Kill.
func (s *Server) Restart() {
	s.t.Helper()
	port := []string{"--port", strconv.Itoa(s.Port)}
	if slices.Contains(s.args, "--tls-cert-file") {
		port = []string{"--port", "0", "--tls-port", strconv.Itoa(s.Port)}
	}
	args := append(append(port, "--bind", "127.0.0.1"), s.args...)
	if s.config != "" {
		args = append([]string{s.config, "--sentinel"}, args...)
	} else {
		args = append(args, "--save", "", "--appendonly", "no", "--repl-diskless-sync-delay", "0", "--dir", s.t.TempDir())
	}
	s.cmd = exec.Command("redis-server", args...)
	output, err := s.cmd.StdoutPipe()
	if err == nil {
		err = s.cmd.Start()
	}
	if err != nil {
		s.t.Fatalf("redis-server, from Debian's package of that name: %v", err)
	}
	ready, ended := make(chan struct{}), make(chan string, 1)
	s.out.Go(func() {
		var last string
		said := false
		for lines := bufio.NewScanner(output); lines.Scan(); {
			last = lines.Text()
			if !said && (strings.Contains(last, "Ready to accept connections") || strings.Contains(last, "Sentinel ID is")) {
				said = true
				close(ready)
			}
		}
		ended <- last
	})
	select {
	case <-ready:
	case last := <-ended:
		s.t.Fatalf("redis-server ended: %s", last)
	case <-time.After(20 * time.Second):
		s.t.Fatal("redis-server does not start")
	}
}

// Kill ends the process at once.
func (s *Server) Kill() {
	if s.cmd.ProcessState == nil {
		_ = s.cmd.Process.Kill() // ends a stopped one too
		s.out.Wait()
		_ = s.cmd.Wait() // was killed
	}
}

// Pause stops the process as a hanging machine would; Resume lets it go on.
func (s *Server) Pause() {
	s.t.Helper()
	Stop(s.t, s.cmd.Process)
}

// Resume lets a paused process go on.
func (s *Server) Resume() {
	s.t.Helper()
	if err := s.cmd.Process.Signal(syscall.SIGCONT); err != nil {
		s.t.Fatal(err)
	}
}

// Stop stops a running child process, and returns when it has: on a busy machine its threads run on for a while.
func Stop(t testing.TB, p *os.Process) {
	t.Helper()
	if err := p.Signal(syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	var state syscall.WaitStatus
	_, err := syscall.Wait4(p.Pid, &state, syscall.WUNTRACED, nil)
	for errors.Is(err, syscall.EINTR) {
		_, err = syscall.Wait4(p.Pid, &state, syscall.WUNTRACED, nil)
	}
	if err != nil || !state.Stopped() {
		t.Fatalf("a process does not stop: %v, %v", err, state)
	}
}
