package docs

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/pona-realtime/pona/pkg/settings"
	devstack "github.com/pona-realtime/pona/services/devstack/app"
)

// patience is how long a command may take to show what it should: a first go run compiles.
const patience = 3 * time.Minute

// elsewhere are commands that other tests run, or that need what is not here, each with what stands in.
var elsewhere = map[string]string{
	"make":                       "every target is run by continuous integration or test/e2e",
	"npm install":                "test/docs/package.json has the packages",
	"docker compose":             "deploy/check loads the file",
	"kubectl":                    "deploy/check renders the overlays",
	"docker build":               "deploy/check parses the Dockerfile",
	"openssl rand":               "prints random bytes",
	"go tool pprof":              "services/edge/app reads the profiles",
	"cat > bot.mjs":              "the README's heredoc, written by the shell that runs it",
	"bin/pona-bench --config":    "TestAScenarioFile reads such a file",
	"curl -fsS http://127.0.0.1": "TestMetrics of both services reads the page",
}

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
	pages, err := filepath.Glob(filepath.Join(root, "docs", "*.md"))
	if err != nil {
		t.Fatal(err)
	}
	stack := startStack(t)
	for _, page := range pages {
		text, err := os.ReadFile(page)
		if err != nil {
			t.Fatal(err)
		}
		t.Run(filepath.Base(page), func(t *testing.T) {
			folder := likeRoot(t, root)
			all := blocks(string(text))
			for i, b := range all {
				switch {
				case b.is("sh", "run"):
					want := block{}
					if i+1 < len(all) && all[i+1].is("text") {
						want = all[i+1]
					}
					perform(t, folder, stack.adapt(b.text), want.lines())
				case b.is("sh"):
					excused(t, b)
				case b.is("go") && len(b.info) == 2:
					is, err := os.ReadFile(filepath.Join(root, b.info[1]))
					if err != nil || string(is) != b.text {
						t.Errorf("line %d: is not %s: %v", b.line, b.info[1], err)
					}
				case len(b.info) == 2 && b.info[1] != "run":
					if err := os.WriteFile(filepath.Join(folder, b.info[1]), []byte(stack.adapt(b.text)), 0o644); err != nil {
						t.Fatal(err)
					}
				}
			}
		})
	}
}

// excused checks that commands which are not run here are known.
func excused(t *testing.T, b block) {
	t.Helper()
	for _, line := range b.lines() {
		known := strings.HasPrefix(line, "#")
		for start := range elsewhere {
			known = known || strings.HasPrefix(line, start)
		}
		if !known {
			t.Errorf("line %d: nobody runs %q: mark the block sh run", b.line, line)
		}
	}
}

// likeRoot is a folder in which the examples find what they find in the repository's root.
func likeRoot(t *testing.T, root string) string {
	t.Helper()
	folder := t.TempDir()
	for name, target := range map[string]string{
		"node_modules": filepath.Join(root, "test/docs/node_modules"), "proto": filepath.Join(root, "proto"),
		"test": filepath.Join(root, "test"), "go.work": filepath.Join(root, "go.work"),
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
	if strings.Contains(script, "go run ./test/") {
		folder, _ = filepath.Abs("../..") // go follows no links to a workspace
	}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	command := exec.CommandContext(ctx, "bash", "-euo", "pipefail", "-c", script)
	command.Dir = folder
	command.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // with what the shell starts
	command.Cancel = func() error { return syscall.Kill(-command.Process.Pid, syscall.SIGKILL) }
	output := &expecting{want: want, seen: cancel}
	command.Stdout, command.Stderr = output, output
	err := command.Run()
	switch missing := output.missing(); {
	case len(missing) > 0:
		t.Errorf("%s\nended with %v before it said %q; it said\n%s", script, err, missing, output.text())
	case len(want) == 0 && err != nil:
		t.Errorf("%s\nended with %v; it said\n%s", script, err, output.text())
	case err != nil && len(want) > 0 && ctx.Err() == nil && !errors.As(err, new(*exec.ExitError)):
		t.Error(err)
	}
}

// expecting is an output in which lines are waited for, each as a part of one.
type expecting struct {
	mu   sync.Mutex
	all  bytes.Buffer
	want []string
	seen func() // called once all have come
	done bool
}

func (e *expecting) Write(p []byte) (int, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.all.Write(p)
	if len(e.want) > 0 && !e.done && len(missing(e.all.String(), e.want)) == 0 {
		e.done = true
		e.seen()
	}
	return len(p), nil
}

func (e *expecting) missing() []string { return missing(e.text(), e.want) }

func (e *expecting) text() string {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.all.String()
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

// stack is a devstack on ports of its own.
type stack struct{ listen, grpc string }

func startStack(t *testing.T) stack {
	t.Helper()
	var s devstack.Settings
	if err := settings.Defaults(&s); err != nil {
		t.Fatal(err)
	}
	free := freePorts(t)
	s.Listen, s.GRPC = free[0], free[1]
	a, err := devstack.New(s, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	run(t, a.Run)
	select {
	case <-a.Ready():
	case <-time.After(patience):
		t.Fatal("the stack does not come up")
	}
	return stack{s.Listen, s.GRPC}
}

// adapt puts the stack's addresses in the place of those that make up uses.
func (s stack) adapt(text string) string {
	return strings.NewReplacer("127.0.0.1:8080", s.listen, "127.0.0.1:7070", s.grpc).Replace(text)
}

func freePorts(t *testing.T) (free [2]string) {
	t.Helper()
	for i := range free {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		free[i] = l.Addr().String()
	}
	return free
}
