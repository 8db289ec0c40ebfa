package redisserver

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"os/exec"
	"syscall"
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func ping(t *testing.T, addr string) {
	t.Helper()
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	fmt.Fprint(conn, "*1\r\n$4\r\nPING\r\n")
	if line, err := bufio.NewReader(conn).ReadString('\n'); line != "+PONG\r\n" {
		t.Fatalf("%q, %v", line, err)
	}
}

func TestChildServesAndLeavesNothing(t *testing.T) {
	if _, err := exec.LookPath("redis-server"); err != nil {
		t.Skip("redis-server is not installed")
	}
	s, err := Start(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	ping(t, s.Addr)
	pid := s.child.cmd.Process.Pid
	s.Stop()
	if err := syscall.Kill(pid, 0); err != syscall.ESRCH {
		t.Errorf("process %d after Stop: %v", pid, err)
	}
	select {
	case <-s.Ended():
	default:
		t.Error("Ended is open after Stop")
	}
}

func TestChildThatFailsSaysWhy(t *testing.T) {
	path, err := exec.LookPath("false")
	if err != nil {
		t.Skip("no program that fails")
	}
	if _, err := startChild(context.Background(), path); err == nil {
		t.Error("started")
	}
}

func TestStoppedWhileStarting(t *testing.T) {
	if _, err := exec.LookPath("redis-server"); err != nil {
		t.Skip("redis-server is not installed")
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if s, err := Start(ctx); err == nil { // it may have been ready as soon
		s.Stop()
	}
}

func TestEmbedded(t *testing.T) {
	s, err := startEmbedded()
	if err != nil {
		t.Fatal(err)
	}
	ping(t, s.Addr)
	s.Stop()
}
