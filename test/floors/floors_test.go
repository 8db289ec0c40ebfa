package floors

import (
	"encoding/json"
	"errors"
	"io"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

func TestNoPackageReachesUp(t *testing.T) {
	graph := workspace(t)
	if len(graph) < 5 {
		t.Fatalf("the graph has %d packages only", len(graph))
	}
	for _, violation := range Check(graph) {
		t.Error(violation)
	}
}

// workspace lists the packages of every module that go.work uses.
func workspace(t *testing.T) []Package {
	t.Helper()
	list := exec.CommandContext(t.Context(), "go", "list", "-e", "-json=ImportPath,Imports,TestImports,XTestImports", "work")
	list.Dir = "../.."
	out, err := list.Output()
	if exit := new(exec.ExitError); errors.As(err, &exit) {
		t.Fatalf("go list: %s", exit.Stderr)
	} else if err != nil {
		t.Fatal(err)
	}
	var graph []Package
	for decoder := json.NewDecoder(strings.NewReader(string(out))); ; {
		var p struct {
			ImportPath                         string
			Imports, TestImports, XTestImports []string
		}
		if err := decoder.Decode(&p); errors.Is(err, io.EOF) {
			return graph
		} else if err != nil {
			t.Fatal(err)
		}
		graph = append(graph, Package{p.ImportPath, slices.Concat(p.Imports, p.TestImports, p.XTestImports)})
	}
}

func TestCheckFindsWhatIsForbidden(t *testing.T) {
	for _, test := range []struct {
		path, imports string
		want          string // empty: allowed
	}{
		{"pkg/engineio", "pkg/socketio", "pkg/engineio must not import pkg/socketio"},
		{"pkg/engineio", "pkg/health", "pkg/engineio must not import pkg/health"},
		{"pkg/engineio", "proto/pona/player/v1", "pkg/engineio must not import proto/pona/player/v1"},
		{"pkg/engineio/internal/wheel", "pkg/player", "pkg/engineio/internal/wheel must not import pkg/player"},
		{"pkg/socketio", "pkg/engineio", ""},
		{"pkg/socketio", "pkg/settings", "pkg/socketio must not import pkg/settings"},
		{"pkg/player", "proto/pona/player/v1", ""},
		{"pkg/player", "proto/pona/edge/v1", "pkg/player must not import proto/pona/edge/v1"},
		{"services/edge/app", "services/fanout/app", "services/edge/app must not import services/fanout/app"},
		{"services/fanout/route", "services/edge/link", "services/fanout/route must not import services/edge/link"},
		{"services/fanout/ingest", "services/fanout/stream", ""},
		{"services/fanout/route", "services/fanout/ingest", "services/fanout/route must not import services/fanout/ingest"},
		{"services/fanout/route", "services/fanout/app", "services/fanout/route must not import services/fanout/app"},
		{"services/edge/cmd/edge", "services/edge/gateway", "services/edge/cmd/edge must not import services/edge/gateway"},
		{"services/edge/gateway", "services/devstack/simbot", "services/edge/gateway must not import services/devstack/simbot"},
		{"services/devstack/cmd/devstack", "services/edge/app", ""},
		{"services/devstack/cmd/devstack", "services/edge/gateway", "services/devstack/cmd/devstack must not import services/edge/gateway"},
		{"test/e2e", "services/edge/app", ""},
		{"pkg/player", "test/e2e", "pkg/player must not import test/e2e"},
		{"services/edge/helpers", "pkg/health", "services/edge/helpers stands on no floor: give it a line in ARCHITECTURE.md and in test/floors"},
		{"pkg/health", "pkg/healthy", "pkg/health must not import pkg/healthy"},
	} {
		got := strings.Join(Check([]Package{{Prefix + test.path, []string{"fmt", Prefix + test.imports}}}), "; ")
		if got != test.want {
			t.Errorf("%s imports %s: got %q, want %q", test.path, test.imports, got, test.want)
		}
	}
}
