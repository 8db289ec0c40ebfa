package check

import (
	"fmt"
	"math"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql"
	"github.com/prometheus/prometheus/promql/parser"
	"github.com/prometheus/prometheus/storage"
	"github.com/prometheus/prometheus/util/annotations"
)

const scrapeInterval = 15 * time.Second

// prometheus answers queries as Prometheus does, of series in memory.
type prometheus struct {
	engine *promql.Engine
	series []promql.Series
	end    time.Duration // of the series, since the epoch
	names  []string      // of the metrics, once for each service
}

// loaded has series in the notation of promtool's tests, a line each, and a value each scrapeInterval from the epoch on.
func loaded(t *testing.T, text string) *prometheus {
	t.Helper()
	p := &prometheus{engine: promql.NewEngine(promql.EngineOpts{MaxSamples: 1e6, Timeout: time.Minute})}
	t.Cleanup(func() { _ = p.engine.Close() })
	for line := range strings.Lines(text) {
		metric, values, err := parser.NewParser(parser.Options{}).ParseSeriesDesc(strings.TrimSpace(line))
		if err != nil {
			t.Fatalf("%s: %v", line, err)
		}
		s := promql.Series{Metric: metric}
		for i, v := range values {
			at := time.Duration(i) * scrapeInterval
			p.end = max(p.end, at)
			if !v.Omitted {
				s.Floats = append(s.Floats, promql.FPoint{T: at.Milliseconds(), F: v.Value})
			}
		}
		p.series = append(p.series, s)
	}
	return p
}

// Querier implements storage.Queryable.
func (p *prometheus) Querier(int64, int64) (storage.Querier, error) {
	return &storage.MockQuerier{SelectMockFunction: func(_ bool, _ *storage.SelectHints, matchers ...*labels.Matcher) storage.SeriesSet {
		found := new(seriesSet)
		for _, s := range p.series {
			if !slices.ContainsFunc(matchers, func(m *labels.Matcher) bool { return !m.Matches(s.Metric.Get(m.Name)) }) {
				found.series = append(found.series, s)
			}
		}
		return found
	}}, nil
}

// seriesSet implements storage.SeriesSet.
type seriesSet struct {
	series []promql.Series
	next   int
}

func (s *seriesSet) Next() bool                        { s.next++; return s.next <= len(s.series) }
func (s *seriesSet) At() storage.Series                { return promql.NewStorageSeries(s.series[s.next-1]) }
func (s *seriesSet) Err() error                        { return nil }
func (s *seriesSet) Warnings() annotations.Annotations { return nil }

// ask gives what a query is at a time since the epoch.
func (p *prometheus) ask(t *testing.T, query string, at time.Duration) promql.Vector {
	t.Helper()
	q, err := p.engine.NewInstantQuery(t.Context(), p, nil, query, time.UnixMilli(0).Add(at))
	if err != nil {
		t.Fatalf("%s: %v", query, err)
	}
	defer q.Close()
	vector, err := q.Exec(t.Context()).Vector()
	if err != nil {
		t.Fatalf("%s: %v", query, err)
	}
	return slices.Clone(vector)
}

// shows expects numbers of a query, each with a value of the label where one is named.
func (p *prometheus) shows(t *testing.T, where, query, label string) {
	t.Helper()
	vector := p.ask(t, query, p.end)
	if len(vector) == 0 {
		t.Errorf("%s: %s shows nothing", where, query)
	}
	for _, s := range vector {
		if math.IsNaN(s.F) || label != "" && s.Metric.Get(label) == "" {
			t.Errorf("%s: %s is %v, of %q %q", where, query, s.F, label, s.Metric.Get(label))
		}
	}
	p.has(t, where, query)
}

// has expects something of each alternative that a query's selectors name.
func (p *prometheus) has(t *testing.T, where, query string) {
	t.Helper()
	parsed, err := parser.NewParser(parser.Options{}).ParseExpr(query)
	if err != nil {
		t.Fatalf("%s: %v", where, err)
	}
	parser.Inspect(parsed, func(node parser.Node, _ []parser.Node) error {
		selector, is := node.(*parser.VectorSelector)
		if !is {
			return nil
		}
		if len(p.ask(t, selector.Name, p.end)) == 0 {
			t.Errorf("%s: there is no %s", where, selector.Name)
		}
		for _, m := range selector.LabelMatchers {
			if m.Type != labels.MatchRegexp && m.Type != labels.MatchEqual || m.Name == labels.MetricName || m.Name == "instance" {
				continue
			}
			for alternative := range strings.SplitSeq(m.Value, "|") {
				if one := fmt.Sprintf("%s{%s=%q}", selector.Name, m.Name, alternative); len(p.ask(t, one, p.end)) == 0 {
					t.Errorf("%s: there is no %s", where, one)
				}
			}
		}
		return nil
	})
}

var (
	metricRow   = regexp.MustCompile("(?m)^\\| `([a-z_]+)` \\| (\\w+) \\| (.*?) \\|")
	metricLabel = regexp.MustCompile("`([a-z]+)`: ([^;]+)")
)

// scraped has an hour of all that docs/metrics.md lists, which is made from running services: two edges and two fanouts
// with every series they have. What counts grows, what does not stays.
func scraped(t *testing.T) *prometheus {
	t.Helper()
	page, err := os.ReadFile("../../docs/metrics.md")
	if err != nil {
		t.Fatal(err)
	}
	var series strings.Builder
	var names []string
	for _, part := range strings.Split(string(page), "\n## ")[1:] {
		program, text, _ := strings.Cut(part, "\n")
		text += "| `process_cpu_seconds_total` | counter |  |\n| `process_resident_memory_bytes` | gauge |  |\n| `process_open_fds` | gauge |  |\n" +
			"| `go_goroutines` | gauge |  |\n| `go_memstats_heap_alloc_bytes` | gauge |  |\n| `go_gc_gomemlimit_bytes` | gauge |  |\n"
		for _, row := range metricRow.FindAllStringSubmatch(text, -1) {
			names = append(names, row[1])
			sets := []string{""}
			for _, l := range metricLabel.FindAllStringSubmatch(row[3], -1) {
				var longer []string
				for _, set := range sets {
					for value := range strings.SplitSeq(l[2], ", ") {
						longer = append(longer, fmt.Sprintf(`%s, %s="%s"`, set, l[1], value))
					}
				}
				sets = longer
			}
			for _, set := range sets {
				for n := range 2 {
					of := fmt.Sprintf(`{instance="%s-%d"%s`, program, n+1, set)
					switch row[2] {
					case "counter":
						fmt.Fprintf(&series, "%s%s} 0+9x240\n", row[1], of)
					case "gauge":
						fmt.Fprintf(&series, "%s%s} 9x240\n", row[1], of)
					case "histogram":
						fmt.Fprintf(&series, "%[1]s_bucket%[2]s, le=\"0.1\"} 0+8x240\n%[1]s_bucket%[2]s, le=\"+Inf\"} 0+9x240\n%[1]s_sum%[2]s} 0+1x240\n%[1]s_count%[2]s} 0+9x240\n", row[1], of)
					default:
						t.Fatalf("%s is a %s", row[1], row[2])
					}
				}
			}
		}
	}
	if len(names) < 70 {
		t.Fatalf("%d metrics in docs/metrics.md", len(names))
	}
	p := loaded(t, strings.TrimSpace(series.String()))
	p.names = names
	return p
}
