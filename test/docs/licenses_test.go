package docs

import (
	"bytes"
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

Every module that stands in the programs ` + "`edge` and `fanout`" + `, made by ` + "`make docs`" + ` from their licence texts. Pona itself is under the
[MIT licence](../LICENSE).

| module | licence |
|---|---|
`

// permissive are the licences under which a module may be built in.
var permissive = []string{"MIT", "BSD-2-Clause", "BSD-3-Clause", "Apache-2.0", "ISC", "MPL-2.0", "Unlicense", "0BSD"}

// TestLicensesPageIsCurrent reads the licence of each module that is built in; -update writes the page.
func TestLicensesPageIsCurrent(t *testing.T) {
	command := exec.Command("go", "list", "-deps", "-f", "{{with .Module}}{{if not .Main}}{{.Path}} {{with .Replace}}{{.Dir}}{{else}}{{.Dir}}{{end}}{{end}}{{end}}",
		"../../services/edge/cmd/edge", "../../services/fanout/cmd/fanout")
	out, err := command.Output()
	if err != nil {
		t.Fatal(err)
	}
	modules := strings.Split(string(out), "\n") // of each package one line
	slices.Sort(modules)
	var rows []string
	for _, line := range slices.Compact(modules) {
		module, folder, found := strings.Cut(line, " ")
		if !found {
			continue
		}
		licence := licenceOf(t, folder)
		if licence == "" || !slices.ContainsFunc(strings.Split(licence, ", "), func(l string) bool { return slices.Contains(permissive, l) }) {
			t.Errorf("%s: its licence is %q", module, licence)
		}
		rows = append(rows, fmt.Sprintf("| `%s` | %s |\n", module, licence))
	}
	slices.Sort(rows)
	if len(rows) < 20 {
		t.Fatalf("%d modules", len(rows))
	}
	compare(t, licensesPage, []byte(licensesHead+strings.Join(rows, "")))
}

// classify knows the texts of licences.
var classify = sync.OnceValues(assets.DefaultClassifier)

// licenceOf reads a module's licence texts, SPDX names separated by commas.
func licenceOf(t *testing.T, folder string) string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(folder, "[LlCUu][IiOoNn][CcPpLl]*"))
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
