package check

import (
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	monitoringv1 "github.com/prometheus-operator/prometheus-operator/pkg/apis/monitoring/v1"
)

// TestDashboards asks what each panel asks, of a Prometheus that has scraped two edges and two fanouts for an hour.
func TestDashboards(t *testing.T) {
	scraped := scraped(t)
	files, err := filepath.Glob("../monitoring/dashboards/*.json")
	if err != nil || len(files) < 4 {
		t.Fatalf("%d dashboards, %v", len(files), err)
	}
	uids, all := map[string]string{}, ""
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		all += string(text)
		var board struct {
			UID, Title string
			Panels     []struct {
				ID         int
				Title      string
				Datasource struct{ UID string }
				GridPos    struct{ X, Y, W, H int }
				Targets    []struct{ Expr, LegendFormat string }
			}
		}
		if err := json.Unmarshal(text, &board); err != nil {
			t.Errorf("%s: %v", file, err)
			continue
		}
		if other := uids[board.UID]; other != "" || board.UID == "" || board.Title == "" {
			t.Errorf("%s has the uid %q, as %s", file, board.UID, other)
		}
		uids[board.UID] = file
		ids := map[int]bool{}
		for _, p := range board.Panels {
			where := board.Title + ": " + p.Title
			if ids[p.ID] || p.GridPos.X+p.GridPos.W > 24 || p.GridPos.W == 0 || p.GridPos.H == 0 || p.Datasource.UID != "prometheus" || len(p.Targets) == 0 {
				t.Errorf("%s: cannot be shown: %+v", where, p)
			}
			ids[p.ID] = true
			for _, target := range p.Targets {
				query := strings.NewReplacer("$instance", "(edge|fanout)-.*", "$__rate_interval", "5m").Replace(target.Expr)
				for _, label := range inLegend.FindAllStringSubmatch(target.LegendFormat, -1) {
					scraped.shows(t, where, query, label[1])
				}
				scraped.shows(t, where, query, "")
			}
		}
	}
	for _, name := range scraped.names {
		if !strings.Contains(all, name) {
			t.Errorf("%s is on no dashboard", name)
		}
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
