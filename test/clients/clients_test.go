package clients

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"os/exec"
	"testing"
	"time"
)

// patience is how long all modules may take in one runtime; a test has 20 s of it at most.
const patience = 3 * time.Minute

// modules are the files of js with tests, and the suite of the server that they ask.
var modules = []struct{ name, suite string }{
	{"engine-protocol", "eio-protocol"},
	{"engine-client", "eio-client"},
	{"socket-protocol", "sio-protocol"},
	{"socket-client", "sio-client"},
	{"socket-binary", "sio-client"},
	{"recovery", "sio-client"},
	{"msgpack", "sio-client"},
}

// servers are started for all modules of a test; a suite has one.
func servers(t *testing.T) map[string]string {
	urls := map[string]string{}
	for _, m := range modules {
		if urls[m.suite] == "" {
			urls[m.suite] = serve(t, m.suite)
		}
	}
	return urls
}

func TestInNode(t *testing.T) {
	urls := servers(t)
	for _, m := range modules {
		t.Run(m.name, func(t *testing.T) {
			for _, o := range run(t, "node.js", urls[m.suite], m.name) {
				t.Run(o.Name, o.check)
			}
		})
	}
}

// One Chromium opens a page for each module.
func TestInChromium(t *testing.T) {
	urls := servers(t)
	var args []string
	for _, m := range modules {
		args = append(args, urls[m.suite], m.name)
	}
	outcomes := map[string][]outcome{}
	for _, o := range run(t, "chromium.js", args...) {
		outcomes[o.Module] = append(outcomes[o.Module], o)
	}
	for _, m := range modules {
		t.Run(m.name, func(t *testing.T) {
			if len(outcomes[m.name]) == 0 {
				t.Error("no test has run")
			}
			for _, o := range outcomes[m.name] {
				t.Run(o.Name, o.check)
			}
		})
	}
}

// outcome is what a runner in js says of one test.
type outcome struct {
	Module, Name string
	Milliseconds int    `json:"ms"`
	Error        string // empty: it has passed
}

func (o outcome) check(t *testing.T) {
	t.Logf("%d ms", o.Milliseconds)
	if o.Error != "" {
		t.Error(o.Error)
	}
}

// run runs a script of js, and returns the outcome of each test.
func run(t *testing.T, script string, args ...string) (outcomes []outcome) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	node := exec.CommandContext(ctx, "node", append([]string{script}, args...)...)
	node.Dir = "js"
	var said bytes.Buffer
	node.Stderr = &said
	out, err := node.Output()
	if err != nil {
		t.Errorf("%s ended with %v\n%s", script, err, said.String())
	}
	for lines := bufio.NewScanner(bytes.NewReader(out)); lines.Scan(); {
		var o outcome
		if err := json.Unmarshal(lines.Bytes(), &o); err != nil {
			t.Errorf("%s says %q", script, lines.Text())
			continue
		}
		outcomes = append(outcomes, o)
	}
	if len(outcomes) == 0 {
		t.Errorf("%s ran no test", script)
	}
	return outcomes
}
