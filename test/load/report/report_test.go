package report

import (
	"bytes"
	"fmt"
	"os"
	"reflect"
	"strings"
	"testing"
)

// docs/load.md tells scripts of every key of the report.
func TestKeysAreDocumented(t *testing.T) {
	page, err := os.ReadFile("../../../docs/load.md")
	if err != nil {
		t.Fatal(err)
	}
	_, section, _ := strings.Cut(string(page), "### The report as JSON\n")
	section, _, _ = strings.Cut(section, "\n#")
	seen := 0
	var keys func(reflect.Type)
	keys = func(of reflect.Type) {
		switch of.Kind() {
		case reflect.Pointer, reflect.Slice:
			keys(of.Elem())
		case reflect.Struct:
			for field := range of.Fields() {
				key, _, _ := strings.Cut(field.Tag.Get("json"), ",")
				if key == "" {
					continue
				}
				seen++
				if !strings.Contains(section, "`"+key+"`") {
					t.Errorf("%s is not documented", key)
				}
				keys(field.Type)
			}
		}
	}
	keys(reflect.TypeFor[Report]())
	if seen < 25 {
		t.Errorf("only %d keys were found", seen)
	}
}

func TestScalesAreRound(t *testing.T) {
	for _, test := range []struct {
		values []float64
		want   string // from, step, number of steps, first ticks
	}{
		{[]float64{0, 1}, "0 1 1: 0 1"},
		{[]float64{0, 0, 0}, "0 1 1: 0 1"},
		{[]float64{0, 2, 1}, "0 1 2: 0 1"},
		{[]float64{0, 50}, "0 10 5: 0 10"},
		{[]float64{0, 1011}, "0 200 6: 0 200"},
		{[]float64{30000, 0}, "0 5000 6: 0 5 000"},
		{[]float64{7, 7}, "0 2 4: 0 2"},
		{[]float64{0.5, 0.2}, "0 0.1 5: 0.0 0.1"},
		{[]float64{0.3, 12.5}, "0 5 3: 0 5"},
		{[]float64{47.6, 47.3, 47.9}, "47.2 0.2 4: 47.2 47.4"},
		{[]float64{1000, 1500, 1700}, "1000 200 4: 1 000 1 200"},
		{[]float64{-3, 4}, "-4 2 4: -4 -2"},
	} {
		least, step, steps := scale(test.values)
		got := fmt.Sprintf("%.4g %.4g %d: %s %s", least, step, steps, tick(least, step), tick(least+step, step))
		if got != test.want {
			t.Errorf("%v: got %s, want %s", test.values, got, test.want)
		}
	}
}

// several is a report of several results.
var several = Report{
	Settings: map[string]string{"clients": "20"},
	Results: []*Result{
		{Scenario: "idle", Seconds: 5.1, Figures: Figures{{"clients", 20}},
			Distributions: []Distribution{
				{Name: "session", P50: 3, P99: 9, Points: []Point{{50, 3}, {99, 9}}}, {Name: "join", P50: 1.5, P99: 2500, Points: []Point{{50, 1.5}, {99, 2500}}},
			},
			Series: []Series{{Name: "clients_compressed", Unit: "connected", Step: 1, Values: []float64{0, 1, 2}}, {Name: "heap", Unit: "MiB", Step: 2, Values: []float64{47.5, 47, 48}}}},
		{Scenario: "broadcast", Seconds: 60, Figures: Figures{{"clients", 1000}, {"lost", 3}, {"lost_compressed", 4}, {"repeated_or_late", 1}}, Failures: map[string]int{"session lost": 2}},
		{Scenario: "avalanche", Seconds: 2, Figures: Figures{{"clients", 20}}, Retried: map[string]int{"reconnect: status 503": 9}},
		{Scenario: "latency", Skipped: "nothing answers"},
		{Scenario: "jitter", Error: "none came"},
	},
}

func TestOverview(t *testing.T) {
	var out bytes.Buffer
	if err := several.WriteTable(&out); err != nil {
		t.Fatal(err)
	}
	_, overview, _ := strings.Cut(out.String(), "\nOverview\n")
	got := strings.Split(strings.TrimSpace(overview), "\n")
	for i, want := range []string{
		"scenario took, s clients times of p50, ms p99, ms outcome", "idle 5.10 20 join 1.50 2 500 ok",
		"broadcast 60.0 1 000 2 failed, 7 lost, 1 twice or late", "avalanche 2.00 20 ok", "latency skipped", "jitter 0.00 error",
	} {
		if i >= len(got) || strings.Join(strings.Fields(got[i]), " ") != want {
			t.Errorf("line %d is not %q:\n%s", i, want, overview)
		}
	}
	out.Reset()
	one := Report{Results: several.Results[:1]}
	if err := one.WriteTable(&out); err != nil || strings.Contains(out.String(), "Overview") {
		t.Errorf("an overview of one: %v, %s", err, out.String())
	}
}

func TestPage(t *testing.T) {
	var out bytes.Buffer
	if err := several.WriteHTML(&out); err != nil {
		t.Fatal(err)
	}
	page := out.String()
	for _, part := range []string{
		"clients compressed, by second", "heap, every 2 s", ">MiB</text>", ">connected</text>", ">47.2</text>", "<th>clients</th><td>20</td>",
		`<td class="bad">2 failed, 7 lost, 1 twice or late</td>`, "tried again after reconnect: status 503",
	} {
		if !strings.Contains(page, part) {
			t.Errorf("the page lacks %q", part)
		}
	}
	before, _, _ := strings.Cut(page, "All numbers, as JSON")
	if strings.Contains(before, "clients_compressed") {
		t.Error("the page shows a name with underscores")
	}
	if strings.Contains(before, ">1.5</text>") || !strings.Contains(before, ">2</text>") {
		t.Error("counts are not shown in whole numbers")
	}
}
