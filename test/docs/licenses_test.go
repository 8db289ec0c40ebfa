package docs

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/licenseclassifier/v2/assets"
)

const licensesPage = "../../docs/licenses.md"

const licensesHead = `# Licences of what is built in

What stands in our programs and images, made by ` + "`make docs`" + ` from licence texts. Pona itself is under the [MIT licence](../LICENSE). What the images' bases
bring (Caddy, Node, Alpine) says so itself. ` + "`pona-bench`" + ` is based in part on the work of the [FreeType Team](https://freetype.org), whose licence (FTL) is the one
of two that we take.

## Go modules

| module | licence | in |
|---|---|---|
`

const licensesOfPackages = `
## npm packages

All that npm installs for them; of those for the page, the browser is given what the official client's own build has of them.

| package | licence | in |
|---|---|---|
`

// programs are those that are built to be run by others than this repository's tests.
var programs = []struct{ name, path string }{
	{"edge", "services/edge/cmd/edge"}, {"fanout", "services/fanout/cmd/fanout"}, {"devstack", "services/devstack/cmd/devstack"}, {"pona-bench", "test/load/cmd/pona-bench"},
}

// shipped are the folders whose npm packages stand in images or programs.
var shipped = []struct{ in, path string }{
	{"devstack, image player", "services/devstack/web"}, {"image bot", "services/devstack/bots/js"},
}

// permissive are the licences under which something may be built in.
var permissive = []string{"MIT", "BSD-2-Clause", "BSD-3-Clause", "Apache-2.0", "ISC", "MPL-2.0", "Unlicense", "0BSD", "FTL"}

// chosen is the text that we take where a module offers several.
var chosen = map[string]string{"github.com/golang/freetype": "licenses/ftl.txt"}

// TestLicensesPageIsCurrent reads the licence of each module and package that is built in; -update writes the page.
func TestLicensesPageIsCurrent(t *testing.T) {
	modules := rows{}
	for _, program := range programs {
		out, err := exec.Command("go", "list", "-deps", "-f", "{{with .Module}}{{if not .Main}}{{.Path}} {{with .Replace}}{{.Dir}}{{else}}{{.Dir}}{{end}}{{end}}{{end}}",
			"../../"+program.path).Output()
		if err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(string(out)) { // of each package one
			if module, folder, found := strings.Cut(strings.TrimSpace(line), " "); found {
				modules.add(t, module, program.name, func() string { return licenceOf(t, filepath.Join(folder, cmp.Or(chosen[module], texts))) })
			}
		}
	}
	packages := rows{}
	for _, s := range shipped {
		for name, licence := range packagesOf(t, filepath.Join("../..", s.path)) {
			packages.add(t, name, s.in, func() string { return licence })
		}
	}
	if len(modules) < 40 || len(packages) < 20 {
		t.Fatalf("%d modules, %d packages", len(modules), len(packages))
	}
	compare(t, licensesPage, []byte(licensesHead+modules.String()+licensesOfPackages+packages.String()))
}

// rows are those of a table, by name: licence, and what it stands in.
type rows map[string]*struct {
	licence string
	in      []string
}

func (r rows) add(t *testing.T, name, in string, licence func() string) {
	t.Helper()
	row := r[name]
	if row == nil {
		row = &struct {
			licence string
			in      []string
		}{licence: licence()}
		r[name] = row
		if !slices.ContainsFunc(strings.Split(row.licence, ", "), func(l string) bool { return slices.Contains(permissive, l) }) {
			t.Errorf("%s: its licence is %q", name, row.licence)
		}
	}
	if !slices.Contains(row.in, in) {
		row.in = append(row.in, in)
	}
}

func (r rows) String() string {
	var all []string
	for name, row := range r {
		all = append(all, fmt.Sprintf("| `%s` | %s | %s |\n", name, row.licence, strings.Join(row.in, ", ")))
	}
	slices.Sort(all)
	return strings.Join(all, "")
}

// packagesOf are a folder's npm packages but those that only its development needs: name and licence, by their texts or, where there is
// none that is known, as they say.
func packagesOf(t *testing.T, folder string) map[string]string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(folder, "package-lock.json"))
	if err != nil {
		t.Fatal(err)
	}
	var lock struct {
		Packages map[string]struct {
			License string
			Dev     bool
		}
	}
	if err := json.Unmarshal(text, &lock); err != nil {
		t.Fatal(err)
	}
	found := map[string]string{}
	for path, p := range lock.Packages {
		if _, name, _ := strings.Cut(path, "node_modules/"); name != "" && !p.Dev {
			if _, err := os.Stat(filepath.Join(folder, path)); err != nil {
				t.Fatalf("%v: make build installs it", err)
			}
			found[name] = cmp.Or(licenceOf(t, filepath.Join(folder, path, texts)), p.License)
		}
	}
	return found
}

// classify knows the texts of licences.
var classify = sync.OnceValues(assets.DefaultClassifier)

// texts are the files in which licences stand.
const texts = "[LlCUu][IiOoNn][CcPpLl]*"

// licenceOf reads the texts of files, SPDX names separated by commas.
func licenceOf(t *testing.T, pattern string) string {
	t.Helper()
	files, err := filepath.Glob(pattern)
	if err != nil {
		t.Fatal(err)
	}
	classifier, err := classify()
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil || bytes.IndexByte(text, 0) >= 0 {
			continue // a folder
		}
		for _, match := range classifier.Match(text).Matches {
			if match.MatchType == "License" && !slices.Contains(names, match.Name) {
				names = append(names, match.Name)
			}
		}
	}
	slices.Sort(names)
	return strings.Join(names, ", ")
}
