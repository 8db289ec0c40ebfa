package docs

import (
	"os"
	"path/filepath"
	"regexp"
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
