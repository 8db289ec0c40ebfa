package docs

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"unicode"

	"github.com/pona-realtime/pona/pkg/settings"
	devstack "github.com/pona-realtime/pona/services/devstack/app"
	edge "github.com/pona-realtime/pona/services/edge/app"
	fanout "github.com/pona-realtime/pona/services/fanout/app"
	load "github.com/pona-realtime/pona/test/load/app"
)

var (
	mentionedFlag     = regexp.MustCompile(`(?:^|[\s(])--([a-z][a-z-]+)`)
	mentionedVariable = regexp.MustCompile(`\b(PONA_(?:EDGE|FANOUT|BENCH|DEVSTACK)_[A-Z_]*[A-Z])\b`)
	mentionedSetting  = regexp.MustCompile(`^([a-z]+)(?:-[a-z0-9]+)+$`)
	mentionedField    = regexp.MustCompile(`^[a-z]+(?:[A-Z][a-z]+)+$`)
	mentionedMetric   = regexp.MustCompile("`(pona_(?:edge|fanout|redis)_[a-z_]+)")
	mentionedTarget   = regexp.MustCompile("`make ([a-z][a-z0-9-]*)")
	mentionedFile     = regexp.MustCompile(`\]\(([^)#:]*)(?:#([^)]*))?\)`)
)

// others are what begins as a setting's name does, or follows two dashes, and is somebody else's.
var others = map[string]string{
	"bot-token":            "a value of auth-members",
	"user-token":           "a value of auth-members",
	"fanout-tls":           "an overlay",
	"pona-bench":           "a program",
	"nats-server":          "a program",
	"redis-cluster":        "a program",
	"redis-emitter":        "npm's",
	"cluster-node-timeout": "Redis'",
	"minutes":              "bin/chaos soak's",
}

// declared are the settings of all programs: names of flags, and of variables.
func declared(t *testing.T) (flags, variables map[string]bool) {
	t.Helper()
	flags, variables = map[string]bool{}, map[string]bool{}
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
			variables[s.Env] = true
		}
	}
	return flags, variables
}

// TestMentions holds the pages to settings, metrics, make's targets, files and headings that are there.
func TestMentions(t *testing.T) {
	flags, variables := declared(t)
	known, err := os.ReadFile(metricsPage)
	if err != nil {
		t.Fatal(err)
	}
	makefile, err := os.ReadFile("../../Makefile")
	if err != nil {
		t.Fatal(err)
	}
	fields := summaryFields(t)
	for _, page := range pages(t) {
		text, err := os.ReadFile(page)
		if err != nil {
			t.Fatal(err)
		}
		where := strings.TrimPrefix(page, "../../")
		for _, wrong := range slices.Concat(wrongSettings(string(text), flags, variables), wrongFields(string(text), fields)) {
			t.Errorf("%s: %s", where, wrong)
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
			if err := leads(page, m[1], m[2]); err != nil {
				t.Errorf("%s: %v", where, err)
			}
		}
	}
}

// wrongSettings are the flags in a page's code spans, the variables anywhere, and the spans like a setting's name, that are none. A span is
// like one where its first word is that of a setting.
func wrongSettings(page string, flags, variables map[string]bool) (wrong []string) {
	families := map[string]bool{}
	for name := range flags {
		if first, _, several := strings.Cut(name, "-"); several && flags[name] {
			families[first] = true
		}
	}
	for _, span := range codeSpan.FindAllStringSubmatch(prose(page), -1) {
		if first, _, _ := strings.Cut(span[1], " "); strings.HasPrefix(first, "-") || load.Program.Name == first || strings.HasPrefix(first, "bin/") || first == "edge" || first == "fanout" {
			for _, m := range mentionedFlag.FindAllStringSubmatch(span[1], -1) {
				if !flags[m[1]] && others[m[1]] == "" {
					wrong = append(wrong, "no program has --"+m[1])
				}
			}
		}
		if m := mentionedSetting.FindStringSubmatch(span[1]); m != nil && families[m[1]] && !flags[m[0]] && others[m[0]] == "" {
			wrong = append(wrong, "no program has the setting "+m[0])
		}
	}
	for _, m := range mentionedVariable.FindAllStringSubmatch(page, -1) {
		if !variables[m[1]] {
			wrong = append(wrong, "no program reads "+m[1])
		}
	}
	return wrong
}

// wrongFields are the spans like a field of JSON, in lines about /v1/metrics, that are in neither service's.
func wrongFields(page string, fields map[string]bool) (wrong []string) {
	for line := range strings.Lines(page) {
		if !strings.Contains(line, "/v1/metrics") {
			continue
		}
		for _, span := range codeSpan.FindAllStringSubmatch(line, -1) {
			if mentionedField.MatchString(span[1]) && !fields[span[1]] {
				wrong = append(wrong, "/v1/metrics has no "+span[1])
			}
		}
	}
	return wrong
}

// summaryFields are those of /v1/metrics of both services, within others too.
func summaryFields(t *testing.T) map[string]bool {
	t.Helper()
	fields := map[string]bool{}
	var note func(any)
	note = func(of any) {
		if object, is := of.(map[string]any); is {
			for name, value := range object {
				fields[name] = true
				note(value)
			}
		}
	}
	for _, admin := range []string{runningEdge(t), runningFanout(t)} {
		client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
		response, err := client.Get("http://" + admin + "/v1/metrics")
		if err != nil {
			t.Fatal(err)
		}
		var summary any
		err = json.NewDecoder(response.Body).Decode(&summary)
		_ = response.Body.Close()
		if err != nil {
			t.Fatal(err)
		}
		note(summary)
	}
	return fields
}

// prose is a page without its fenced blocks.
func prose(page string) string {
	var text strings.Builder
	fenced := false
	for line := range strings.Lines(page) {
		if strings.HasPrefix(line, "```") {
			fenced = !fenced
		} else if !fenced {
			text.WriteString(line)
		}
	}
	return text.String()
}

// leads says what is wrong with a link of a page: to a file, to a heading of it, or to one of the page itself.
func leads(page, file, heading string) error {
	target := page
	if file != "" {
		target = filepath.Join(filepath.Dir(page), file)
	}
	if _, err := os.Stat(target); err != nil || heading == "" {
		return err
	}
	text, err := os.ReadFile(target)
	if err != nil {
		return err
	}
	for line := range strings.Lines(prose(string(text))) {
		if strings.HasPrefix(line, "#") && anchor(line) == heading {
			return nil
		}
	}
	return fmt.Errorf("%s has no heading #%s", strings.TrimPrefix(target, "../../"), heading)
}

// anchor is what GitHub calls a heading: in small letters, spaces as hyphens, without what is neither letter, digit, hyphen nor underscore.
func anchor(heading string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == ' ':
			return '-'
		case r == '-' || r == '_' || unicode.IsLetter(r) || unicode.IsDigit(r):
			return unicode.ToLower(r)
		default:
			return -1
		}
	}, strings.TrimSpace(strings.TrimLeft(heading, "#")))
}

// TestWrongMentionsAreFound shows that the checks can fail.
func TestWrongMentionsAreFound(t *testing.T) {
	flags, variables := declared(t)
	fields := map[string]bool{"peakConnections": true}
	for page, want := range map[string]string{
		"`--no-such-flag`":                                      "no program has --no-such-flag",
		"`--clients 5 --no-such-flag`":                          "no program has --no-such-flag",
		"`bin/edge --listen :1 --no-such-flag`":                 "no program has --no-such-flag",
		"`recovery-minutes`":                                    "no program has the setting recovery-minutes",
		"```yaml\nPONA_EDGE_NO_SUCH: 1\n```":                    "no program reads PONA_EDGE_NO_SUCH",
		"`recovery-bytes`, `socket-io`, `--linger 1ms`":         "",
		"`docker compose up --build`, `npm run --silent`":       "",
		"PONA_EDGE_LINGER, PONA_EDGE_…, `PONA_BENCH_CLIENTS`":   "",
		"`peakConnections` and `lowConnections` of /v1/metrics": "/v1/metrics has no lowConnections",
	} {
		got := strings.Join(append(wrongSettings(page, flags, variables), wrongFields(page, fields)...), "; ")
		if got != want {
			t.Errorf("%s: got %q, want %q", page, got, want)
		}
	}
	for _, link := range [][2]string{{"", "no-such-heading"}, {"load.md", "no-such-heading"}, {"nowhere.md", ""}} {
		if leads("../../docs/seed.md", link[0], link[1]) == nil {
			t.Errorf("nobody minds %q", link)
		}
	}
	if err := leads("../../docs/seed.md", "operations.md", "what-fails-and-what-is-seen"); err != nil {
		t.Error(err)
	}
}

// unseen are rollbacks whose effect is shown elsewhere than in TestRollbacksTakeEffect.
var unseen = map[string]string{
	"--redis-url=":        "an edge without is what most of its tests run",
	"--performance-log 0": "a line is missing",
	"--processors all":    "pkg/service TestWhoDecidesOnProcessors",
}

// TestRollbacksAreSettings has an edge take the settings with which optimizations are rolled back, each alone and all together. That they
// do what the page says, TestRollbacksTakeEffect of services/edge/app shows; it must have all of them.
func TestRollbacksAreSettings(t *testing.T) {
	page, err := os.ReadFile("../../docs/operations.md")
	if err != nil {
		t.Fatal(err)
	}
	effects, err := os.ReadFile("../../services/edge/app/rollback_test.go")
	if err != nil {
		t.Fatal(err)
	}
	_, section, _ := strings.Cut(string(page), "\n## Rolling back an optimization\n")
	section, _, _ = strings.Cut(section, "\n## ")
	var all []string
	for _, m := range regexp.MustCompile("\\| (an empty )?`(--[^`]+)`[^|]*\\|").FindAllStringSubmatch(section, -1) {
		flags := m[2]
		if m[1] != "" {
			flags += "="
		}
		if unseen[flags] == "" && !strings.Contains(string(effects), strconv.Quote(flags)) {
			t.Errorf("nothing shows what %s does", flags)
		}
		taken(t, strings.Fields(flags))
		all = append(all, strings.Fields(flags)...)
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
