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
	"github.com/prometheus/prometheus/promql/parser"
	"sigs.k8s.io/yaml"
)

// exported are the metrics that docs/metrics.md lists, which is made from running services.
func exported(t *testing.T) map[string]bool {
	t.Helper()
	page, err := os.ReadFile("../../docs/metrics.md")
	if err != nil {
		t.Fatal(err)
	}
	names := map[string]bool{}
	for _, row := range regexp.MustCompile("(?m)^\\| `([a-z_]+)` \\| (\\w+) ").FindAllStringSubmatch(string(page), -1) {
		names[row[1]] = true
		if row[2] == "histogram" {
			delete(names, row[1])
			for _, suffix := range []string{"_bucket", "_sum", "_count"} {
				names[row[1]+suffix] = true
			}
		}
	}
	if len(names) < 50 {
		t.Fatalf("%d metrics in docs/metrics.md", len(names))
	}
	return names
}

// expect parses a query and checks that it names only what is exported.
func expect(t *testing.T, names map[string]bool, where, query string) {
	t.Helper()
	query = strings.NewReplacer("$instance", ".*", "$__rate_interval", "5m").Replace(query)
	parsed, err := parser.NewParser(parser.Options{}).ParseExpr(query)
	if err != nil {
		t.Errorf("%s: %s: %v", where, query, err)
		return
	}
	found := false
	parser.Inspect(parsed, func(node parser.Node, _ []parser.Node) error {
		if v, is := node.(*parser.VectorSelector); is {
			found = true
			ours := strings.HasPrefix(v.Name, "pona_")
			if ours && !names[v.Name] || !ours && !strings.HasPrefix(v.Name, "go_") && !strings.HasPrefix(v.Name, "process_") {
				t.Errorf("%s: nobody exports %q", where, v.Name)
			}
		}
		return nil
	})
	if !found {
		t.Errorf("%s: %s asks for no metric", where, query)
	}
}

func TestDashboards(t *testing.T) {
	names := exported(t)
	files, err := filepath.Glob("../monitoring/dashboards/*.json")
	if err != nil || len(files) < 4 {
		t.Fatalf("%d dashboards, %v", len(files), err)
	}
	uids := map[string]string{}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		var board struct {
			UID, Title string
			Panels     []struct {
				ID         int
				Title      string
				Datasource struct{ UID string }
				GridPos    struct{ X, Y, W, H int }
				Targets    []struct{ Expr string }
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
				expect(t, names, where, target.Expr)
			}
		}
	}
}

func TestAlerts(t *testing.T) {
	names := exported(t)
	text, err := os.ReadFile("../monitoring/alerts.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var file struct {
		Groups []struct {
			Name  string
			Rules []struct {
				Alert, Expr, For    string
				Labels, Annotations map[string]string
			}
		}
	}
	if err := yaml.UnmarshalStrict(text, &file); err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	for _, g := range file.Groups {
		for _, r := range g.Rules {
			expect(t, names, r.Alert, r.Expr)
			if seen[r.Alert] || r.Annotations["summary"] == "" || r.Annotations["description"] == "" || r.Labels["severity"] != "warning" && r.Labels["severity"] != "critical" {
				t.Errorf("%s: twice, or without summary, description or severity", r.Alert)
			}
			seen[r.Alert] = true
		}
	}
	if len(seen) < 6 {
		t.Errorf("%d alerts", len(seen))
	}
}

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

// TestProvisioning reads what compose gives Prometheus and Grafana.
func TestProvisioning(t *testing.T) {
	for _, file := range []string{"prometheus.yml", "grafana/datasources/prometheus.yaml", "grafana/dashboards/pona.yaml"} {
		text, err := os.ReadFile("../compose/" + file)
		if err != nil {
			t.Fatal(err)
		}
		var any map[string]any
		if err := yaml.UnmarshalStrict(text, &any); err != nil || len(any) == 0 {
			t.Errorf("%s: %v", file, err)
		}
	}
}
