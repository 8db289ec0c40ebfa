package docs

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// patience is how long a command may take to show what it should: a first go run compiles.
const patience = 3 * time.Minute

// TestCommands runs what the pages say against a stack of their own, in a folder that looks like the
// repository's root to them.
func TestCommands(t *testing.T) {
	if testing.Short() {
		t.Skip("starts Node, Go and a whole stack")
	}
	root, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat("node_modules"); err != nil {
		t.Skip("no packages: npm ci in test/docs, as make test does")
	}
	stack, programs := startStack(t), t.TempDir()
	buildLoadTool(t, root, programs)
	for _, page := range pages(t) {
		text, err := os.ReadFile(page)
		if err != nil {
			t.Fatal(err)
		}
		t.Run(filepath.Base(page), func(t *testing.T) {
			t.Parallel()
			folder := likeRoot(t, root, programs)
			all := blocks(string(text))
			for i, b := range all {
				switch {
				case b.is("sh", "run"):
					script, err := installed(b.text)
					if err != nil {
						t.Errorf("line %d: %v", b.line, err)
						continue
					}
					want := block{}
					if i+1 < len(all) && all[i+1].is("text") {
						want = all[i+1]
					}
					if guild := playsIn(want.lines()); guild != "" {
						performBot(t, stack, folder, script, want.lines(), guild)
						continue
					}
					perform(t, folder, stack.adapt(script), want.lines())
				case len(b.info) == 2 && strings.HasPrefix(b.info[1], "test/"):
					is, err := os.ReadFile(filepath.Join(root, b.info[1]))
					if err != nil || string(is) != b.text {
						t.Errorf("line %d: is not %s: %v", b.line, b.info[1], err)
					}
				case len(b.info) == 2:
					if err := os.WriteFile(filepath.Join(folder, b.info[1]), []byte(stack.adapt(b.text)), 0o644); err != nil {
						t.Fatal(err)
					}
				}
			}
		})
	}
}

// buildLoadTool leaves pona-bench where make build would.
func buildLoadTool(t *testing.T, root, programs string) {
	t.Helper()
	command := exec.CommandContext(t.Context(), "go", "build", "-o", programs+"/", "./test/load/cmd/pona-bench")
	command.Dir = root
	if said, err := command.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, said)
	}
}

// likeRoot is a folder in which the examples find what they find in the repository's root after make build.
func likeRoot(t *testing.T, root, programs string) string {
	t.Helper()
	folder := t.TempDir()
	for name, target := range map[string]string{
		"node_modules": filepath.Join(root, "test/docs/node_modules"), "proto": filepath.Join(root, "proto"),
		"test": filepath.Join(root, "test"), "go.work": filepath.Join(root, "go.work"), "bin": programs,
	} {
		if err := os.Symlink(target, filepath.Join(folder, name)); err != nil {
			t.Fatal(err)
		}
	}
	return folder
}

// perform runs a script. With lines to expect it is ended when all have come, in order; without, it
// must end well by itself.
func perform(t *testing.T, folder, script string, want []string) {
	t.Helper()
	meanwhile(t, folder, script, nil, want, func(*expecting) {})
}

// meanwhile is perform with more in the environment, and with something that is done once all lines have come.
func meanwhile(t *testing.T, folder, script string, environment, want []string, do func(*expecting)) {
	t.Helper()
	if strings.Contains(script, "go run ./test/") {
		folder, _ = filepath.Abs("../..") // go follows no links to a workspace
	}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	command := exec.CommandContext(ctx, "bash", "-euo", "pipefail", "-c", script)
	command.Dir = folder
	command.Env = append(os.Environ(), environment...)
	command.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // with what the shell starts
	command.Cancel = func() error { return syscall.Kill(-command.Process.Pid, syscall.SIGKILL) }
	output := &expecting{more: make(chan struct{})}
	command.Stdout, command.Stderr = output, output
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	var err error // read after ended
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		err = command.Wait()
		output.end()
	}()
	defer func() { // also where do fails the test at once
		cancel()
		<-ended
	}()
	lacking := output.await(want)
	if len(want) > 0 && len(lacking) == 0 {
		do(output)
		return
	}
	<-ended
	switch {
	case len(lacking) > 0:
		t.Errorf("%s\nended with %v before it said %q; it said\n%s", script, err, lacking, output.text())
	case err != nil:
		t.Errorf("%s\nended with %v; it said\n%s", script, err, output.text())
	}
}

// expecting is an output in which lines are waited for, each as a part of one.
type expecting struct {
	mu    sync.Mutex
	all   bytes.Buffer
	more  chan struct{} // closed and replaced with every write
	ended bool
}

func (e *expecting) Write(p []byte) (int, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.all.Write(p)
	close(e.more)
	e.more = make(chan struct{})
	return len(p), nil
}

// end says that nothing more comes.
func (e *expecting) end() {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.ended = true
	close(e.more)
}

func (e *expecting) text() string {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.all.String()
}

// await waits until all lines have come, in their order, or the output has ended, and returns those that have not.
func (e *expecting) await(lines []string) []string {
	for {
		e.mu.Lock()
		lacking, more, ended := missing(e.all.String(), lines), e.more, e.ended
		e.mu.Unlock()
		if len(lacking) == 0 || ended {
			return lacking
		}
		<-more
	}
}

// missing are the lines that have not come, in their order.
func missing(text string, want []string) []string {
	for i, line := range want {
		_, rest, found := strings.Cut(text, line)
		if !found {
			return want[i:]
		}
		text = rest
	}
	return nil
}
