package check

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/grafana/grafana-foundation-sdk/go/cog"
	"github.com/grafana/grafana-foundation-sdk/go/dashboard"
	prom "github.com/grafana/grafana-foundation-sdk/go/prometheus"
	"github.com/grafana/grafana-foundation-sdk/go/stat"
	"github.com/grafana/grafana-foundation-sdk/go/timeseries"
	monitoringv1 "github.com/prometheus-operator/prometheus-operator/pkg/apis/monitoring/v1"
)

// TestDashboards asks what each panel asks, of a Prometheus that has scraped two edges and two fanouts for an hour.
func TestDashboards(t *testing.T) {
	scraped := scraped(t)
	files, err := filepath.Glob("../monitoring/dashboards/*.json")
	if err != nil || len(files) < 4 {
		t.Fatalf("%d dashboards, %v", len(files), err)
	}
	uids, described, all := map[string]string{}, map[string]string{}, ""
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		all += string(text)
		board, panels, err := readBoard(text)
		if err != nil {
			t.Errorf("%s: %v", file, err)
			continue
		}
		uid, title := value(board.Uid), value(board.Title)
		if other := uids[uid]; other != "" || uid == "" || title == "" {
			t.Errorf("%s has the uid %q, as %s", file, uid, other)
		}
		uids[uid] = file
		ids := map[uint32]bool{}
		if len(panels) == 0 {
			t.Errorf("%s shows nothing", file)
		}
		for _, p := range panels {
			where, id := title+": "+value(p.Title), value(p.Id)
			if grid := value(p.GridPos); ids[id] || grid.X+grid.W > 24 || grid.W == 0 || grid.H == 0 || value(value(p.Datasource).Uid) != "prometheus" || len(p.Targets) == 0 {
				t.Errorf("%s: cannot be shown: %+v", where, p)
			}
			ids[id] = true
			looks(t, where, p)
			if text := value(p.Description); text != "" {
				if other := described[text]; other != "" {
					t.Errorf("%s is described as %s is", where, other)
				}
				described[text] = where
			}
			var asked []string
			for _, target := range queries(t, where, p) {
				query := strings.NewReplacer("$instance", "(edge|fanout)-.*", "$__rate_interval", "5m").Replace(target.Expr)
				asked = append(asked, query)
				for _, label := range inLegend.FindAllStringSubmatch(value(target.LegendFormat), -1) {
					scraped.shows(t, where, query, label[1])
				}
				scraped.shows(t, where, query, "")
			}
			if p.FieldConfig == nil {
				t.Errorf("%s: without a unit", where)
				continue
			}
			fits(t, where, value(p.FieldConfig.Defaults.Unit), asked)
		}
	}
	for _, name := range scraped.names {
		if !strings.Contains(all, name) {
			t.Errorf("%s is on no dashboard", name)
		}
	}
}

// readBoard is what Grafana's library reads of a dashboard, strictly. Its own strict reading of a dashboard leaves the panels out.
func readBoard(text []byte) (board dashboard.Dashboard, panels []*dashboard.Panel, err error) {
	var file struct{ Panels []json.RawMessage }
	err = errors.Join(problems(board.UnmarshalJSONStrict(text), board.Validate()), json.Unmarshal(text, &file))
	for i, one := range file.Panels {
		p := new(dashboard.Panel)
		if bad := problems(p.UnmarshalJSONStrict(one), p.Validate()); bad != nil {
			err = errors.Join(err, fmt.Errorf("panel %d: %w", i+1, bad))
		}
		panels = append(panels, p)
	}
	return board, panels, err
}

// problems are all that the library finds; where its strict reading finds none, it gives an error without any.
func problems(read, check error) error {
	var found cog.BuildErrors
	if errors.As(read, &found) && len(found) == 0 {
		read = nil
	}
	return errors.Join(read, check)
}

// value is what a field that may be missing has.
func value[T any](field *T) (v T) {
	if field != nil {
		v = *field
	}
	return v
}

// queries are a panel's, as Grafana's plugin for Prometheus reads them. Without a data source of their own they have the panel's, which
// the library does not see.
func queries(t *testing.T, where string, p *dashboard.Panel) (all []prom.Dataquery) {
	t.Helper()
	for _, target := range p.Targets {
		text, err := json.Marshal(target)
		if err != nil {
			t.Fatal(err)
		}
		var query prom.Dataquery
		if err := problems(query.UnmarshalJSONStrict(text), query.Validate()); err != nil {
			t.Errorf("%s: %v", where, err)
		}
		all = append(all, query)
	}
	return all
}

// looks has the panel's plugin read what is its own of the panel. It knows defaults for what is missing, but nothing else.
func looks(t *testing.T, where string, p *dashboard.Panel) {
	t.Helper()
	var custom any
	if p.FieldConfig != nil {
		custom = p.FieldConfig.Defaults.Custom
	}
	switch p.Type {
	case "timeseries":
		knows[timeseries.Options](t, where, p.Options)
		knows[timeseries.FieldConfig](t, where, custom)
	case "stat":
		knows[stat.Options](t, where, p.Options)
	default:
		t.Errorf("%s: this test does not know %s", where, p.Type)
	}
}

func knows[T any](t *testing.T, where string, options any) {
	t.Helper()
	text, err := json.Marshal(options)
	if err != nil {
		t.Fatal(err)
	}
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(new(T)); err != nil {
		t.Errorf("%s: %v", where, err)
	}
}

// inLegend is a label that a panel shows.
var inLegend = regexp.MustCompile(`\{\{(\w+)\}\}`)

var update = flag.Bool("update", false, "write deploy/monitoring/prometheusrule.yaml")

// TestPrometheusRuleIsCurrent: the operator's object holds the same rules as the file that Prometheus reads
// by itself.
func TestPrometheusRuleIsCurrent(t *testing.T) {
	rules, err := os.ReadFile("../monitoring/alerts.yaml")
	if err != nil {
		t.Fatal(err)
	}
	want := "# Made from alerts.yaml: go test ./deploy/check -run PrometheusRule -update\n" +
		"apiVersion: monitoring.coreos.com/v1\nkind: PrometheusRule\nmetadata:\n  name: pona\nspec:\n"
	for line := range strings.Lines(string(rules)) {
		if !strings.HasPrefix(line, "#") && strings.TrimSpace(line) != "" {
			line = "  " + line
		}
		want += line
	}
	const file = "../monitoring/prometheusrule.yaml"
	if *update {
		if err := os.WriteFile(file, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(file)
	if err != nil || string(got) != want {
		t.Errorf("%s is not alerts.yaml as an object, %v; go test ./deploy/check -run PrometheusRule -update", file, err)
	}
	found := of[*monitoringv1.PrometheusRule](render(t, "production"))
	if len(found) != 1 || len(found[0].Spec.Groups) == 0 || len(found[0].Spec.Groups[0].Rules) < 6 {
		t.Errorf("production has %d PrometheusRules, want one with all rules", len(found))
	}
}
