package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"
)

// small is a run that takes seconds.
func small(t *testing.T, peers ...string) options {
	t.Helper()
	if _, err := os.Stat("node/node_modules"); err != nil {
		t.Fatalf("%v; make build installs it", err)
	}
	return options{
		Peers: peers, Rounds: 1, Sockets: 20, Events: 10, Rate: 100, Size: 200, Guilds: 5, GuildRate: 100, Idle: 40,
		Bin: "../../bin", Node: "node", Out: filepath.Join(t.TempDir(), "bench.json"),
	}
}

// measure runs the bench and reads its report.
func measure(t *testing.T, o options) (got report) {
	t.Helper()
	if err := run(o); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(o.Out)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(text, &got); err != nil {
		t.Fatal(err)
	}
	return got
}

func TestRunAgainstNode(t *testing.T) {
	runtime.LockOSThread() // what is started dies with its thread
	defer runtime.UnlockOSThread()
	defer client.CloseIdleConnections()
	got := measure(t, small(t, "node"))
	if len(got.Runs) != 4 || got.Machine.Cores < 1 || got.Machine.Node == "" {
		t.Fatalf("got %+v", got)
	}
	b, i := got.Runs[0], got.Runs[3]
	if b.Scenario != "broadcast" || b.Delivered != 200 || b.Lost != 0 || b.OutOfOrder != 0 {
		t.Errorf("broadcast delivered %d, lost %d, out of order %d; want 200, 0, 0", b.Delivered, b.Lost, b.OutOfOrder)
	}
	if b.CPU <= 0 || b.P50 <= 0 || b.P99 < b.P50 || b.Allocs != nil {
		t.Errorf("broadcast: %+v", b)
	}
	for _, run := range got.Runs[:3] {
		if run.Lost != 0 || run.Delivered < 80 || run.OutOfOrder != 0 {
			t.Errorf("%s delivered %d, lost %d, out of order %d", run.Scenario, run.Delivered, run.Lost, run.OutOfOrder)
		}
	}
	if _, measured := i.GrowthOf["node"]; i.Scenario != "idle" || !measured {
		t.Errorf("idle: %+v", i)
	}
}

// TestTwoNodesAreOneCluster emits at one of two Node processes to sockets on both.
func TestTwoNodesAreOneCluster(t *testing.T) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	defer client.CloseIdleConnections()
	got := measure(t, small(t, "node-2"))
	if len(got.Runs) != 1 || got.Runs[0].Scenario != "guilds" || got.Runs[0].Delivered != 80 || got.Runs[0].CPUOf["redis"] <= 0 || got.Runs[0].CPUOf["node-b"] <= 0 {
		t.Errorf("got %+v", got.Runs)
	}
}

func TestAPeerThatDoesNotStartIsReported(t *testing.T) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	o := small(t, "library")
	o.Bin = t.TempDir() // holds no programs
	got := once(o, t.TempDir(), "library", scenarios(o)[0])
	if !strings.Contains(got.Error, "start library") || !strings.Contains(got.line(), "start library") {
		t.Errorf("got %+v", got)
	}
}

// TestSiege attacks Node for a moment, on both transports.
func TestSiege(t *testing.T) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	defer client.CloseIdleConnections()
	b := small(t)
	o := siegeOptions{Bystanders: 20, Rate: 100, Peace: 200 * time.Millisecond, Attack: 500 * time.Millisecond, Bin: b.Bin, Node: b.Node}
	got := ordeal{Peer: "node", Attack: "upgrades"}
	if err := got.measure(o, t.TempDir()); err != nil {
		t.Fatal(err)
	}
	if got.During.Events != 500 || got.During.Answers < 10 || got.During.Lost != 0 || got.During.AnswerP99 <= 0 {
		t.Errorf("bystanders had %+v", got.During)
	}
	if got.Attacker.Sent == 0 || got.Peak == 0 || got.Resident[1] == 0 {
		t.Errorf("got %+v", got)
	}
}

func TestASiegeOfUnknownAttacksIsRefused(t *testing.T) {
	o := siegeOptions{Bystanders: 1, Rate: 1, Peace: 1, Attack: 1, Attacks: []string{"kindness"}}
	if err := o.Validate(); err == nil || !strings.Contains(err.Error(), "kindness") {
		t.Errorf("got %v", err)
	}
}
