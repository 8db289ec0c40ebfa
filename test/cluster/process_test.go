package cluster

import (
	"bufio"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// goProcess is one of ours in a process of its own, bin/conformance-server: it can be stopped, which would stop the test
// were it in this one. Its client tells it what to do.
type goProcess struct {
	cmd    *exec.Cmd
	client *client
}

func startProcess(t *testing.T, redisPort, mode string) *goProcess {
	t.Helper()
	program, err := filepath.Abs("../../bin/conformance-server")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(program); err != nil {
		t.Fatalf("%v; make build puts it there", err)
	}
	const suite = "redis-cluster"
	cmd := exec.Command(program)
	cmd.Env = append(os.Environ(), "SUITE="+suite, "PORT=0", "MODE="+mode, "REDIS_PORT="+redisPort)
	cmd.Stderr = os.Stderr
	stdout, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGCONT)
		_ = cmd.Process.Signal(syscall.SIGTERM) // Wait tells if it was gone before
		if err := cmd.Wait(); err != nil {
			t.Errorf("the process ended with %v", err)
		}
	})
	line, err := bufio.NewReader(stdout).ReadString('\n')
	address, ok := strings.CutPrefix(strings.TrimSpace(line), suite+" PORT ")
	if err != nil || !ok {
		t.Fatalf("the process says %q, %v", line, err)
	}
	return &goProcess{cmd: cmd, client: dial(t, "process", address)}
}

func (p *goProcess) do(t *testing.T, c command) answer {
	t.Helper()
	to := map[string]any{"rooms": c.Rooms, "except": c.Except, "flags": c.Flags}
	var reply []any
	switch c.Op {
	case "emit":
		reply = p.client.ask(t, "emit", to, c.Args[0], c.Args[1:])
		if len(reply) > 0 {
			return answer{Error: reply[0].(string)}
		}
		return answer{}
	case "fetchSockets":
		reply = p.client.ask(t, "fetchSockets", to)
	case "emitWithAck":
		reply = p.client.ask(t, "emitAck", to, c.Args[0], c.Args[1:])
	case "serverSideEmitWithAck":
		reply = p.client.ask(t, "sseAck", c.Args[0], c.Args[1:])
	default:
		t.Fatal(c.Op)
	}
	outcome, is := reply[0].(map[string]any)
	if !is {
		return answer{Result: reply[0]}
	}
	err, _ := outcome["err"].(string)
	return answer{Result: outcome["responses"], Error: err}
}
