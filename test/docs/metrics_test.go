package docs

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"os"
	"slices"
	"strings"
	"testing"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"

	"github.com/pona-realtime/pona/pkg/settings"
	edge "github.com/pona-realtime/pona/services/edge/app"
	fanout "github.com/pona-realtime/pona/services/fanout/app"
)

const metricsPage = "../../docs/metrics.md"

const metricsHead = `# Metrics

Every metric of both services, made by ` + "`make docs`" + ` from running ones; beside them stand Go's own (` + "`go_…`" + `) and the
process' (` + "`process_…`" + `). Prometheus reads them at ` + "`/metrics`" + ` on the admin port. Labels have few values, known beforehand:
never a guild or a user. Dashboards and alerts are in ` + "`deploy/monitoring`" + `.

A histogram named ` + "`x`" + ` is read as ` + "`x_bucket`, `x_sum` and `x_count`" + `.
`

// TestMetricsPageIsCurrent compares docs/metrics.md with what running services show; -update writes it.
func TestMetricsPageIsCurrent(t *testing.T) {
	var page bytes.Buffer
	page.WriteString(metricsHead)
	describe(&page, "edge", scrape(t, runningEdge(t)))
	describe(&page, "fanout", scrape(t, runningFanout(t)))
	compare(t, metricsPage, page.Bytes())
}

// compare holds a generated page to the file, or writes it.
func compare(t *testing.T, file string, want []byte) {
	t.Helper()
	if *update {
		if err := os.WriteFile(file, want, 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	is, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(is, want) {
		t.Errorf("%s is not what the programs say: make docs", strings.TrimPrefix(file, "../../"))
	}
}

// runningEdge is the admin address of an edge that has everything configured, and nothing connected.
func runningEdge(t *testing.T) string {
	var s edge.Settings
	if err := settings.Defaults(&s); err != nil {
		t.Fatal(err)
	}
	s.Listen, s.Admin, s.Fanouts, s.Redis = "127.0.0.1:0", "127.0.0.1:0", []string{"127.0.0.1:1"}, "redis://127.0.0.1:1"
	s.DiscordBotToken, s.DiscordURL = "token", "http://127.0.0.1:1"
	a, err := edge.New(s, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	run(t, a.Run)
	return a.AdminAddr()
}

func runningFanout(t *testing.T) string {
	var s fanout.Settings
	if err := settings.Defaults(&s); err != nil {
		t.Fatal(err)
	}
	s.GRPC, s.Admin, s.NATS, s.Redis = "127.0.0.1:0", "127.0.0.1:0", "nats://127.0.0.1:1", "redis://127.0.0.1:1"
	a, err := fanout.New(s, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	run(t, a.Run)
	return a.AdminAddr()
}

func run(t *testing.T, run func(context.Context) error) {
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- run(ctx) }()
	t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
}

func scrape(t *testing.T, admin string) map[string]*dto.MetricFamily {
	t.Helper()
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	response, err := client.Get("http://" + admin + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	parser := expfmt.NewTextParser(model.UTF8Validation)
	families, err := parser.TextToMetricFamilies(bytes.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	return families
}

func describe(page *bytes.Buffer, program string, families map[string]*dto.MetricFamily) {
	fmt.Fprintf(page, "\n## %s\n\n| metric | kind | labels | |\n|---|---|---|---|\n", program)
	for _, name := range slices.Sorted(maps.Keys(families)) {
		if !strings.HasPrefix(name, "pona_") {
			continue
		}
		f := families[name]
		labels := map[string][]string{}
		for _, m := range f.GetMetric() {
			for _, l := range m.GetLabel() {
				if !slices.Contains(labels[l.GetName()], l.GetValue()) {
					labels[l.GetName()] = append(labels[l.GetName()], l.GetValue())
				}
			}
		}
		var shown []string
		for _, label := range slices.Sorted(maps.Keys(labels)) {
			values := labels[label]
			slices.Sort(values)
			if name == "pona_build_info" {
				values = []string{"…"}
			}
			shown = append(shown, "`"+label+"`: "+strings.Join(values, ", "))
		}
		fmt.Fprintf(page, "| `%s` | %s | %s | %s |\n", name, strings.ToLower(f.GetType().String()), strings.Join(shown, "; "), f.GetHelp())
	}
}
