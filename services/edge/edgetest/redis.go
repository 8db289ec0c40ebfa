package edgetest

import (
	"bufio"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// StartRedis starts a real redis-server that ends with the test, and returns its URL.
func StartRedis(t testing.TB) string {
	t.Helper()
	binary, err := exec.LookPath("redis-server")
	if err != nil {
		t.Skip("no redis-server is installed (Debian: redis-server)")
	}
	socket := filepath.Join(t.TempDir(), "redis.sock")
	command := exec.Command(binary, "--port", "0", "--unixsocket", socket, "--save", "", "--dir", t.TempDir())
	said, err := command.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	ready, drained := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(drained)
		told := false
		for lines := bufio.NewScanner(said); lines.Scan(); {
			if !told && strings.Contains(lines.Text(), "eady to accept connections") {
				told = true
				close(ready)
			}
		}
	}()
	t.Cleanup(func() {
		_ = command.Process.Kill()
		<-drained
		_ = command.Wait()
	})
	select {
	case <-ready:
	case <-drained:
		t.Fatal("redis-server ended before it was ready")
	}
	return "unix://" + socket
}
