package e2e

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// patience is how long a test waits for one thing to happen; the machine may be busy.
const patience = 30 * time.Second

// process is a child whose output is kept and can be waited for.
type process struct {
	name  string
	cmd   *exec.Cmd
	stdin io.WriteCloser
	ended chan struct{} // closed when it is gone and all its output was read
	err   error         // of Wait; read after ended

	mu    sync.Mutex
	lines []string
	more  chan struct{} // closed and replaced with every line
}

// root is the repository's folder.
func root() string {
	wd, err := os.Getwd()
	if err != nil {
		panic(err)
	}
	return filepath.Join(wd, "..", "..")
}

// program is the path of a built program.
func program(t testing.TB, name string) string {
	path := filepath.Join(root(), "bin", name)
	if _, err := os.Stat(path); err != nil {
		t.Fatalf("%v; make build puts it there", err)
	}
	return path
}

// start runs a program until the test ends; the test fails when it is there no more to be stopped.
func start(t testing.TB, name, path string, args ...string) *process {
	t.Helper()
	p, err := launch(name, path, args...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("%s said:\n%s", name, p.said())
		}
		p.kill()
	})
	return p
}

func launch(name, path string, args ...string) (*process, error) {
	p := &process{name: name, cmd: exec.Command(path, args...), ended: make(chan struct{}), more: make(chan struct{})}
	var err error
	if p.stdin, err = p.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	read, write, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	p.cmd.Stdout, p.cmd.Stderr = write, write
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := p.cmd.Start(); err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	write.Close()
	go func() {
		defer close(p.ended)
		defer read.Close()
		for r := bufio.NewReader(read); ; {
			line, err := r.ReadString('\n')
			if line != "" {
				p.note(strings.TrimSuffix(line, "\n"))
			}
			if err != nil {
				break
			}
		}
		p.err = p.cmd.Wait()
	}()
	return p, nil
}

func (p *process) note(line string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.lines = append(p.lines, line)
	close(p.more)
	p.more = make(chan struct{})
}

// line is the n-th line, or a channel that is closed when there are more.
func (p *process) line(n int) (string, <-chan struct{}) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if n < len(p.lines) {
		return p.lines[n], nil
	}
	return "", p.more
}

func (p *process) said() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return strings.Join(p.lines, "\n")
}

// await returns the first line from the n-th on that wanted accepts, and the number after it.
func (p *process) await(t testing.TB, n int, what string, wanted func(line string) bool) (string, int) {
	t.Helper()
	deadline := time.After(patience)
	for {
		line, more := p.line(n)
		if more == nil {
			n++
			if wanted(line) {
				return line, n
			}
			continue
		}
		select {
		case <-more:
		case <-p.ended:
			if _, more := p.line(n); more != nil {
				t.Fatalf("%s ended (%v) before it said %s", p.name, p.err, what)
			}
		case <-deadline:
			t.Fatalf("%s did not say %s within %v", p.name, what, patience)
		}
	}
}

// terminate sends SIGTERM and returns how the process ended, and after how long.
func (p *process) terminate(t testing.TB) (code int, took time.Duration) {
	t.Helper()
	began := time.Now()
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatalf("%s: %v", p.name, err)
	}
	select {
	case <-p.ended:
	case <-time.After(patience):
		t.Fatalf("%s did not end within %v of SIGTERM", p.name, patience)
	}
	return p.cmd.ProcessState.ExitCode(), time.Since(began)
}

// kill ends what is still there.
func (p *process) kill() {
	select {
	case <-p.ended:
	default:
		_ = p.cmd.Process.Kill() // it may have ended in this moment
		<-p.ended
	}
}

// dials says whether somebody listens at a TCP address.
func dials(addr string) bool {
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		return false
	}
	conn.Close()
	return true
}
