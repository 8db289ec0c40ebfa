package docs

import (
	"io"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/pona-realtime/pona/pkg/settings"
	devstack "github.com/pona-realtime/pona/services/devstack/app"
	edge "github.com/pona-realtime/pona/services/edge/app"
	fanout "github.com/pona-realtime/pona/services/fanout/app"
	load "github.com/pona-realtime/pona/test/load/app"
)

var (
	mentionedFlag   = regexp.MustCompile("`--([a-z][a-z-]+)")
	mentionedMetric = regexp.MustCompile("`(pona_(?:edge|fanout|redis)_[a-z_]+)")
	mentionedTarget = regexp.MustCompile("`make ([a-z][a-z0-9-]*)")
	mentionedFile   = regexp.MustCompile(`\]\(([^)#:]+)(?:#[^)]*)?\)`)
)

// TestMentions holds the pages to settings, metrics, make's targets and files that are there.
func TestMentions(t *testing.T) {
	flags := map[string]bool{"build": true} // docker's
	for _, program := range []struct {
		is   settings.Program
		into any
	}{{edge.Program, &edge.Settings{}}, {fanout.Program, &fanout.Settings{}}, {devstack.Program, &devstack.Settings{}}, {load.Program, &load.Settings{}}} {
		all, err := settings.List(program.is, program.into)
		if err != nil {
			t.Fatal(err)
		}
		for _, s := range all {
			flags[s.Name], flags["no-"+s.Name] = true, s.Unit == "true or false"
		}
	}
	known, err := os.ReadFile(metricsPage)
	if err != nil {
		t.Fatal(err)
	}
	makefile, err := os.ReadFile("../../Makefile")
	if err != nil {
		t.Fatal(err)
	}
	for _, page := range pages(t) {
		text, err := os.ReadFile(page)
		if err != nil {
			t.Fatal(err)
		}
		where := strings.TrimPrefix(page, "../../")
		for _, m := range mentionedFlag.FindAllStringSubmatch(string(text), -1) {
			if !flags[m[1]] {
				t.Errorf("%s: no program has --%s", where, m[1])
			}
		}
		for _, m := range mentionedMetric.FindAllStringSubmatch(string(text), -1) {
			if !strings.Contains(string(known), "`"+m[1]+"`") {
				t.Errorf("%s: nobody exports %s", where, m[1])
			}
		}
		for _, m := range mentionedTarget.FindAllStringSubmatch(string(text), -1) {
			if !strings.Contains(string(makefile), "\n"+m[1]+":") {
				t.Errorf("%s: there is no make %s", where, m[1])
			}
		}
		for _, m := range mentionedFile.FindAllStringSubmatch(string(text), -1) {
			if _, err := os.Stat(filepath.Join(filepath.Dir(page), m[1])); err != nil {
				t.Errorf("%s: %v", where, err)
			}
		}
	}
}

// TestRollbacksAreTaken has an edge take the settings with which optimizations are rolled back, each alone and all together.
func TestRollbacksAreTaken(t *testing.T) {
	page, err := os.ReadFile("../../docs/operations.md")
	if err != nil {
		t.Fatal(err)
	}
	_, section, _ := strings.Cut(string(page), "\n## Rolling back an optimization\n")
	section, _, _ = strings.Cut(section, "\n## ")
	var all []string
	for _, m := range regexp.MustCompile("\\| (an empty )?`(--[^`]+)` \\|").FindAllStringSubmatch(section, -1) {
		args := strings.Fields(m[2])
		if m[1] != "" {
			args = []string{args[0] + "="}
		}
		taken(t, args)
		all = append(all, args...)
	}
	if len(all) < 10 {
		t.Errorf("found only %q", all)
	}
	taken(t, all)
}

// taken expects an edge to take settings, and to have other ones than its defaults.
func taken(t *testing.T, args []string) {
	t.Helper()
	var s, before edge.Settings
	if err := settings.Defaults(&before); err != nil {
		t.Fatal(err)
	}
	if _, err := settings.Parse(edge.Program, &s, args, io.Discard); err != nil {
		t.Errorf("%q: %v", args, err)
	} else if err := s.Validate(); err != nil {
		t.Errorf("%q: %v", args, err)
	}
	if reflect.DeepEqual(s, before) && !slices.Contains(args, "--redis-url=") { // whose default is none
		t.Errorf("%q changes nothing", args)
	}
}
