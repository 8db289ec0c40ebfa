package main

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"text/tabwriter"
	"time"
)

// report is the JSON file.
type report struct {
	At      string    `json:"at"`
	Machine machine   `json:"machine"`
	Options options   `json:"options"`
	Runs    []outcome `json:"runs"`
}

type machine struct {
	CPU    string `json:"cpu"`
	Cores  int    `json:"cores"`
	Kernel string `json:"kernel"`
	Go     string `json:"go"`
	Node   string `json:"node"`
}

func thisMachine() machine {
	m := machine{Cores: runtime.NumCPU(), Go: runtime.Version()}
	cpus, _ := os.ReadFile("/proc/cpuinfo") // what cannot be told is left empty
	for line := range strings.Lines(string(cpus)) {
		if key, value, _ := strings.Cut(line, ":"); strings.TrimSpace(key) == "model name" {
			m.CPU = strings.TrimSpace(value)
			break
		}
	}
	kernel, _ := os.ReadFile("/proc/sys/kernel/osrelease")
	m.Kernel = strings.TrimSpace(string(kernel))
	node, _ := exec.Command("node", "--version").Output()
	m.Node = strings.TrimSpace(string(node))
	return m
}

func writeJSON(o options, all []outcome) error {
	text, err := json.MarshalIndent(report{time.Now().UTC().Format(time.RFC3339), thisMachine(), o, all}, "", "  ")
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(o.Out), 0o755); err != nil {
		return err
	}
	return os.WriteFile(o.Out, append(text, '\n'), 0o644)
}

// column is a figure of a table.
type column struct {
	title  string
	format string
	of     func(outcome) (float64, bool) // false: unknown
}

func known(f func(outcome) float64) func(outcome) (float64, bool) {
	return func(o outcome) (float64, bool) { return f(o), true }
}

var (
	deliveryColumns = []column{
		{"CPU µs/delivery", "%.2f", known(func(o outcome) float64 { return o.CPU })},
		{"user µs", "%.2f", known(func(o outcome) float64 { return o.UserCPU })},
		{"allocs/delivery", "%.3f", func(o outcome) (float64, bool) {
			if o.Allocs == nil {
				return 0, false
			}
			return *o.Allocs, true
		}},
		{"p50 ms", "%.2f", known(func(o outcome) float64 { return o.P50 })},
		{"p99 ms", "%.2f", known(func(o outcome) float64 { return o.P99 })},
		{"lost", "%.0f", known(func(o outcome) float64 { return float64(o.Lost) })},
	}
	idleColumns = []column{
		{"bytes/connection", "%.0f", known(func(o outcome) float64 { return o.Collected })},
		{"before collection", "%.0f", known(func(o outcome) float64 { return o.Rested })},
	}
)

// writeTables shows each scenario: medians, with the least and the most where rounds differ.
func writeTables(w io.Writer, o options, all []outcome) {
	m := thisMachine()
	fmt.Fprintf(w, "\n%s, %d cores, Linux %s, %s, Node %s; medians of %d rounds (least–most)\n", m.CPU, m.Cores, m.Kernel, m.Go, m.Node, o.Rounds)
	for _, s := range scenarios(o) {
		fmt.Fprintf(w, "\n%s\n", s.title)
		columns := deliveryColumns
		if s.name == idleName {
			columns = idleColumns
		}
		table := tabwriter.NewWriter(w, 0, 0, 3, ' ', 0)
		fmt.Fprint(table, "  ")
		for _, c := range columns {
			fmt.Fprintf(table, "\t%s", c.title)
		}
		fmt.Fprintln(table)
		for _, kind := range kinds {
			runs := slices.DeleteFunc(slices.Clone(all), func(r outcome) bool {
				return r.Scenario != s.name || r.Peer != kind || r.Error != ""
			})
			if len(runs) == 0 {
				continue
			}
			fmt.Fprintf(table, "  %s", kind)
			for _, c := range columns {
				fmt.Fprintf(table, "\t%s", c.cell(runs))
			}
			fmt.Fprintln(table)
		}
		_ = table.Flush()
		for _, kind := range []string{"pair", "node-2", "pair-2"} {
			for _, line := range shares(s.name, kind, all) {
				fmt.Fprintln(w, "  "+line)
			}
		}
	}
	fmt.Fprintf(w, "\nEvery run: %s\n", o.Out)
}

// cell is a column's median over the runs of one peer.
func (c column) cell(runs []outcome) string {
	var values []float64
	for _, r := range runs {
		if v, ok := c.of(r); ok {
			values = append(values, v)
		}
	}
	if len(values) == 0 {
		return "n/a"
	}
	slices.Sort(values)
	middle := fmt.Sprintf(c.format, median(values))
	least, most := fmt.Sprintf(c.format, values[0]), fmt.Sprintf(c.format, values[len(values)-1])
	if least == most {
		return middle
	}
	return fmt.Sprintf("%s (%s–%s)", middle, least, most)
}

// median of sorted values.
func median(sorted []float64) float64 {
	n := len(sorted)
	return (sorted[(n-1)/2] + sorted[n/2]) / 2
}

// shares says what each process of a peer had of its figure, by the median run.
func shares(scenario, kind string, all []outcome) []string {
	of := make(map[string][]float64)
	for _, r := range all {
		if r.Scenario != scenario || r.Peer != kind || r.Error != "" {
			continue
		}
		for name, v := range r.CPUOf {
			of[name] = append(of[name], v)
		}
		for name, v := range r.GrowthOf {
			of[name] = append(of[name], float64(v)/1e6)
		}
	}
	if len(of) == 0 {
		return nil
	}
	what, unit := "CPU of "+kind, "µs"
	if scenario == idleName {
		what, unit = "growth of "+kind, "MB"
	}
	var parts []string
	for _, name := range slices.Sorted(maps.Keys(of)) {
		slices.Sort(of[name])
		parts = append(parts, fmt.Sprintf("%s %.2f %s", name, median(of[name]), unit))
	}
	return []string{what + ": " + strings.Join(parts, ", ")}
}
