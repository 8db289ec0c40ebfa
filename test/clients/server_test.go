package clients

import (
	"bufio"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// serve starts the conformance server and returns its URL; it is stopped when the test ends.
func serve(t *testing.T, suite string, variables ...string) string {
	t.Helper()
	program, err := filepath.Abs("../../bin/conformance-server")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(program); err != nil {
		t.Fatalf("%v; make build puts it there", err)
	}
	server := exec.Command(program)
	server.Env = append(append(os.Environ(), "SUITE="+suite, "PORT=0"), variables...)
	server.Stderr = os.Stderr
	stdout, err := server.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = server.Process.Signal(syscall.SIGTERM) // Wait tells if it was gone before
		if err := server.Wait(); err != nil {
			t.Errorf("the server of %s ended with %v", suite, err)
		}
	})
	line, err := bufio.NewReader(stdout).ReadString('\n')
	address, ok := strings.CutPrefix(strings.TrimSpace(line), suite+" PORT ")
	if err != nil || !ok {
		t.Fatalf("the server of %s says %q, %v", suite, line, err)
	}
	return "http://" + address
}
