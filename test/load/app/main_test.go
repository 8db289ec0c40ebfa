package app

import (
	"bufio"
	"bytes"
	"encoding/json"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"github.com/pona-realtime/pona/pkg/settings"
	"github.com/pona-realtime/pona/test/load/report"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// socketIO starts npm's socket.io and returns its address.
func socketIO(t *testing.T) string {
	t.Helper()
	packages, err := filepath.Abs("../../bench/node/node_modules")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(packages); err != nil {
		t.Fatalf("%v; make build installs it", err)
	}
	node := exec.Command("node", "testdata/server.js")
	node.Env = append(os.Environ(), "NODE_PATH="+packages)
	node.Stderr = os.Stderr
	out, err := node.StdoutPipe()
	if err == nil {
		err = node.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = node.Process.Kill()
		_ = node.Wait()
	})
	port, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatalf("the server's port: %v", err)
	}
	return "http://127.0.0.1:" + strings.TrimSpace(port)
}

// result is a scenario's, with the numbers as a script sees them.
type result struct {
	report.Result
	Figures map[string]float64 `json:"figures"`
}

// measured is a report as a script reads it.
type measured struct {
	Interrupted bool
	Settings    map[string]any
	Results     []result
}

// bench runs the program with flags and returns its report, as it stands in the JSON.
func bench(t *testing.T, flags ...string) measured {
	t.Helper()
	var out bytes.Buffer
	if err := Run(t.Context(), parse(t, append(flags, "--json", "-")...), &out, io.Discard); err != nil {
		t.Errorf("%v: %v", flags, err)
	}
	return decode(t, out.Bytes())
}

func parse(t *testing.T, flags ...string) *Settings {
	t.Helper()
	var s Settings
	if _, err := settings.Parse(Program, &s, flags, io.Discard); err != nil {
		t.Fatal(err)
	}
	return &s
}

func decode(t *testing.T, text []byte) (m measured) {
	t.Helper()
	if err := json.Unmarshal(text, &m); err != nil {
		t.Fatalf("%v: %s", err, text)
	}
	return m
}

// want checks figures of a result, given as name, value, name, value.
func (r *result) want(t *testing.T, figures ...any) {
	t.Helper()
	for i := 0; i < len(figures); i += 2 {
		name, value := figures[i].(string), figures[i+1].(int)
		got, known := r.Figures[name]
		if !known || got != float64(value) {
			t.Errorf("%s: %s is %v, want %d; %v, failures %v, %s", r.Scenario, name, got, value, r.Figures, r.Failures, r.Error)
		}
	}
}

// counted is how many durations of a name were measured.
func (r *result) counted(name string) int {
	for _, d := range r.Distributions {
		if d.Name == name {
			return int(d.Count)
		}
	}
	return 0
}
