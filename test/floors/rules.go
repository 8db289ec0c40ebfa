// Package floors holds the dependency rule of ARCHITECTURE.md as a table, and checks it.
//
// Its test reads the import graph of every module of the workspace, tests included.
package floors

import (
	"fmt"
	"slices"
	"strings"
)

// Prefix is what every import path of the project starts with.
const Prefix = "github.com/pona-realtime/pona/"

// Package is a node of the import graph.
type Package struct {
	Path    string   // import path
	Imports []string // import paths, of its tests too
}

// row says what a package may import of the project. Paths stand without Prefix; one that ends in
// "/..." is a folder and all below it.
type row struct {
	path string
	may  []string
}

// What lies below every service.
var ground = []string{"proto/...", "pkg/..."}

// rules is read from the top; the first row that matches a package counts. A package may always
// import itself (its external tests do) and what lies in its folder's internal.
var rules = []row{
	// Floor 0: the conversations.
	{"proto/...", []string{"proto/..."}},

	// Floor 1 and 2: libraries. The first ones know nothing of Pona, and any project can use them.
	{"pkg/engineio/...", []string{"pkg/engineio/..."}},
	{"pkg/msgpack", nil},
	{"pkg/adapter", []string{"pkg/msgpack"}},
	{"pkg/adapter/redistest", []string{"pkg/freeport"}},
	{"pkg/adapter/...", []string{"pkg/adapter/...", "pkg/msgpack"}},
	{"pkg/socketio/...", []string{"pkg/socketio/...", "pkg/engineio/...", "pkg/adapter/...", "pkg/msgpack"}},
	{"pkg/player/...", []string{"proto/pona/player/v1"}},
	{"pkg/settings", nil},
	{"pkg/health", nil},
	{"pkg/quietnet", nil},
	{"pkg/freeport", nil},
	{"pkg/tracing", []string{"pkg/tracing"}},
	{"pkg/metrics", []string{"pkg/settings"}},
	{"pkg/service/tlstest", nil},
	{"pkg/service", []string{"pkg/service/tlstest", "pkg/settings", "pkg/health", "pkg/adapter/..."}},

	// Floor 3: fanout, in the order in which an event passes.
	{"services/fanout/cmd/...", []string{"pkg/service", "services/fanout/app"}},
	{"services/fanout/app", append([]string{"services/fanout/..."}, ground...)},
	{"services/fanout/ingest", append([]string{"services/fanout/stream", "services/fanout/owner", "services/fanout/route", "services/fanout/fanouttest"}, ground...)},
	{"services/fanout/owner", append([]string{"services/fanout/stream", "services/fanout/route", "services/fanout/fanouttest"}, ground...)},
	{"services/fanout/stream", append([]string{"services/fanout/fanouttest"}, ground...)},
	{"services/fanout/route", append([]string{"services/fanout/fanouttest"}, ground...)},
	{"services/fanout/commands", append([]string{"services/fanout/fanouttest"}, ground...)},
	{"services/fanout/revoke", append([]string{"services/fanout/fanouttest"}, ground...)},
	{"services/fanout/rooms", append([]string{"services/fanout/fanouttest"}, ground...)},
	{"services/fanout/fanouttest", ground}, // the peers of a fanout, for its tests

	// Floor 3: edge, in the order in which an event passes.
	{"services/edge/cmd/...", []string{"pkg/service", "services/edge/app"}},
	{"services/edge/app", append([]string{"services/edge/..."}, ground...)},
	{"services/edge/link", append([]string{"services/edge/guild", "services/edge/gateway", "services/edge/edgetest"}, ground...)},
	{"services/edge/guild", append([]string{"services/edge/gateway", "services/edge/edgetest"}, ground...)},
	{"services/edge/gateway", append([]string{"services/edge/seal", "services/edge/edgetest"}, ground...)},
	{"services/edge/auth", append([]string{"services/edge/seal", "services/edge/edgetest"}, ground...)},
	{"services/edge/relay", append([]string{"services/edge/seal"}, ground...)},
	{"services/edge/seal", ground},
	{"services/edge/admission", append([]string{"services/edge/edgetest"}, ground...)},
	{"services/edge/balance", append([]string{"services/edge/edgetest"}, ground...)},
	{"services/edge/edgetest", ground}, // the peers of an edge, for its tests

	// Floor 4: what runs and measures the others.
	{"services/devstack/...", append([]string{"services/devstack/...", "services/edge/app", "services/fanout/app"}, ground...)},
	{"deploy/check", nil},
	{"test/...", append([]string{"test/...", "services/..."}, ground...)},
}

// Check returns a line for each import that a rule forbids, and for each package that no rule knows.
func Check(graph []Package) []string { return check(rules, graph) }

func check(rules []row, graph []Package) []string {
	var violations []string
	for _, p := range graph {
		path, ours := strings.CutPrefix(p.Path, Prefix)
		if !ours {
			continue
		}
		i := slices.IndexFunc(rules, func(r row) bool { return matches(r.path, path) })
		if i < 0 {
			violations = append(violations, path+" stands on no floor: give it a line in ARCHITECTURE.md and in test/floors")
			continue
		}
		for _, imported := range p.Imports {
			if target, ours := strings.CutPrefix(imported, Prefix); ours && !allowed(rules[i], path, target) {
				violations = append(violations, fmt.Sprintf("%s must not import %s", path, target))
			}
		}
	}
	slices.Sort(violations)
	return slices.Compact(violations)
}

func allowed(r row, path, target string) bool {
	if target == path || strings.HasPrefix(target, path+"/internal/") {
		return true
	}
	return slices.ContainsFunc(r.may, func(pattern string) bool { return matches(pattern, target) })
}

func matches(pattern, path string) bool {
	folder, all := strings.CutSuffix(pattern, "/...")
	return path == folder || all && strings.HasPrefix(path, folder+"/")
}
