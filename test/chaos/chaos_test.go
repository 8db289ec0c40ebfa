package main

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"
)

// short is a stack and a crowd that two cores carry while other tests run.
func short(bin string) options {
	return options{
		Stack:  size{Edges: 2, Fanouts: 2, NATS: 1, ConnectRate: 500},
		Load:   crowdSize{Guilds: 5, Every: 200 * time.Millisecond, Clients: 30, Stock: 9, Pace: 500},
		Rounds: 1, Short: true, Settle: 30 * time.Second, Bin: bin, Scripts: "stock",
	}
}

func TestMain(m *testing.M) {
	if isCrowd() {
		serveCrowd()
		return
	}
	os.Exit(m.Run())
}

const bin = "../../bin"

func TestPromiseHoldsThroughFaults(t *testing.T) {
	outcomes, err := run(t.Context(), short(bin), t.Output())
	var report bytes.Buffer
	print(&report, outcomes)
	t.Logf("\n%s", &report)
	if err != nil {
		t.Fatal(err)
	}
	for _, o := range outcomes {
		if o.failed() {
			t.Errorf("the promise was broken by: %s", o.fault)
		}
	}
}

// An edge built to leave out events must be found out.
func TestDefectIsFound(t *testing.T) {
	defective := t.TempDir()
	for _, name := range []string{"fanout", "nats-server"} {
		path, err := filepath.Abs(filepath.Join(bin, name))
		if err != nil {
			t.Fatal(err)
		}
		if err := os.Symlink(path, filepath.Join(defective, name)); err != nil {
			t.Fatal(err)
		}
	}
	build := exec.CommandContext(t.Context(), "go", "build", "-tags", "defect", "-o", filepath.Join(defective, "edge"),
		"github.com/pona-realtime/pona/services/edge/cmd/edge")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build an edge with a defect: %v\n%s", err, out)
	}
	o := short(defective)
	o.Only, o.Settle = "^every connection cut$", 5*time.Second
	o.Rounds = 3
	outcomes, err := run(t.Context(), o, t.Output())
	if err != nil {
		t.Fatal(err)
	}
	lost := 0
	for _, o := range outcomes {
		lost += o.tally.Lost
	}
	if lost == 0 {
		t.Error("events were left out on purpose and nobody noticed")
	}
}

// A few seconds are too little to judge what grows, but enough to see every process and client.
func TestSoakSeesEveryProcess(t *testing.T) {
	page := filepath.Join(t.TempDir(), "soak.html")
	var table bytes.Buffer
	_, err := soak(t.Context(), soakOptions{Minutes: 0.1, Every: time.Second, Clients: 30, Stay: 2 * time.Second, Guilds: 5,
		Event: 100 * time.Millisecond, Report: page, Bin: bin}, &table, t.Output())
	if err != nil {
		t.Fatal(err)
	}
	plots, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"edge-1", "edge-2", "fanout-1", "fanout-2"} {
		if n := bytes.Count(table.Bytes(), []byte(name)); n != len(gauges) {
			t.Errorf("%s stands %d times in the table, want %d:\n%s", name, n, len(gauges), &table)
		}
	}
	if got, want := bytes.Count(plots, []byte("<svg")), 4*len(gauges); got != want {
		t.Errorf("%d plots, want %d", got, want)
	}
	if !bytes.Contains(table.Bytes(), []byte(" 0 lost, 0 duplicated, 0 reordered, 0 unannounced;")) || bytes.Contains(table.Bytes(), []byte("\n0 events")) {
		t.Errorf("the promise was not kept:\n%s", &table)
	}
}
