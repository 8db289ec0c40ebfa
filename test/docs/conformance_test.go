package docs

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

const conformancePage = "../../docs/conformance.md"

var (
	codeSpan = regexp.MustCompile("`([^`]+)`")
	// goTests is a folder and functions of its tests; jsTest a module and the title of one.
	goTests = regexp.MustCompile(`^((?:pkg|services|test)/[a-z0-9/]+)((?: (?:Test|Fuzz)\w+)+)$`)
	jsTest  = regexp.MustCompile(`^(test/[\w/-]+\.js): (.+)$`)
	jsTitle = regexp.MustCompile("\\btest(?:InNode|InBrowser)?\\((?:\"([^\"]+)\"|`([^`]+)`)")
)

// TestConformanceNamesTests: each row of the page's tables names a test in its last cell, and all tests
// that the page names are there.
func TestConformanceNamesTests(t *testing.T) {
	page, err := os.ReadFile(conformancePage)
	if err != nil {
		t.Fatal(err)
	}
	named := map[string]bool{}
	rows := 0
	for i, line := range strings.Split(string(page), "\n") {
		last := line
		isRow := strings.HasPrefix(line, "| ") && !strings.HasSuffix(line, "| test |")
		if isRow {
			rows++
			cells := strings.Split(strings.TrimSuffix(line, " |"), " | ")
			last = cells[len(cells)-1]
		}
		found := 0
		for _, span := range codeSpan.FindAllStringSubmatch(last, -1) {
			tests := testsOf(span[1])
			found += len(tests)
			if isRow && len(tests) == 0 {
				t.Errorf("line %d: %q names no test", i+1, span[1])
			}
			for _, test := range tests {
				named[test] = true
			}
		}
		if isRow && found == 0 {
			t.Errorf("line %d: a rule without a test", i+1)
		}
	}
	if rows < 100 {
		t.Errorf("only %d rows were read", rows)
	}
	known := map[string]map[string]bool{}
	for test := range named {
		where, name, _ := strings.Cut(test, ": ")
		if known[where] == nil {
			known[where] = testsIn(t, where)
		}
		if !known[where][name] {
			t.Errorf("%s has no test %q", where, name)
		}
	}
	t.Logf("%d rules, %d tests", rows, len(named))
}

// testsOf are the tests that a code span names, each as "where: name".
func testsOf(span string) (tests []string) {
	if m := goTests.FindStringSubmatch(span); m != nil {
		for _, name := range strings.Fields(m[2]) {
			tests = append(tests, m[1]+": "+name)
		}
	} else if jsTest.MatchString(span) {
		tests = append(tests, span)
	}
	return tests
}

// testsIn are the names of the tests in a package's folder, or in a JavaScript module.
func testsIn(t *testing.T, where string) map[string]bool {
	t.Helper()
	names := map[string]bool{}
	where = filepath.Join("../..", where)
	if strings.HasSuffix(where, ".js") {
		text, err := os.ReadFile(where)
		if err != nil {
			t.Error(err)
		}
		for _, m := range jsTitle.FindAllStringSubmatch(string(text), -1) {
			names[m[1]+m[2]] = true
		}
		return names
	}
	files, err := filepath.Glob(filepath.Join(where, "*_test.go"))
	if err != nil {
		t.Error(err)
	}
	for _, file := range files {
		parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.SkipObjectResolution)
		if err != nil {
			t.Error(err)
			continue
		}
		for _, declaration := range parsed.Decls {
			if f, ok := declaration.(*ast.FuncDecl); ok && f.Recv == nil {
				names[f.Name.Name] = true
			}
		}
	}
	return names
}
