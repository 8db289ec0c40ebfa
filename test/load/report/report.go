// Package report is what a load test has found, as JSON for scripts, as a table for the terminal and as one
// HTML file with plots for people.
package report

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"time"
)

// Report is a whole run.
type Report struct {
	Program     string            `json:"program"` // that measured
	Target      string            `json:"target"`
	At          time.Time         `json:"at"` // its beginning, UTC
	Version     string            `json:"version"`
	Interrupted bool              `json:"interrupted"` // ended before its time; what was measured until then stands here
	Settings    map[string]string `json:"settings"`    // that differ from their defaults, without secrets
	Results     []*Result         `json:"results"`
}

// Result is a scenario's.
type Result struct {
	Scenario      string         `json:"scenario"`
	Title         string         `json:"title"`             // what was done, for people
	Skipped       string         `json:"skipped,omitempty"` // why it could not be run; then there is nothing else
	Error         string         `json:"error,omitempty"`   // why it ended before its time
	Seconds       float64        `json:"seconds"`
	Figures       Figures        `json:"figures"`
	Distributions []Distribution `json:"distributions"`
	Failures      map[string]int `json:"failures"`          // what went wrong, and how often
	Retried       map[string]int `json:"retried,omitempty"` // what went wrong and was tried again as it should be; no failures
	Series        []Series       `json:"series"`            // for plots
}

// Failed counts what went wrong.
func (r *Result) Failed() int {
	n := 0
	for _, count := range r.Failures {
		n += count
	}
	return n
}

// Lost counts deliveries that have not come, in all passes.
func (r *Result) Lost() float64 { return r.Figures.sum("lost") }

// Misplaced counts deliveries that came twice or out of order.
func (r *Result) Misplaced() float64 { return r.Figures.sum("repeated_or_late") }

// Figure is one number of a result.
type Figure struct {
	Name  string // snake_case, with its unit at the end where it has one
	Value float64
}

// Figures are an object in JSON, in their order.
type Figures []Figure

// Add appends a figure.
func (f *Figures) Add(name string, value float64) { *f = append(*f, Figure{name, value}) }

// text is a figure's value for people, empty where there is none.
func (f Figures) text(name string) string {
	for _, figure := range f {
		if figure.Name == name {
			return figure.Text()
		}
	}
	return ""
}

// sum adds a figure and those that are named after it for one pass of several, as lost_compressed is after lost.
func (f Figures) sum(name string) (total float64) {
	for _, figure := range f {
		if figure.Name == name || strings.HasPrefix(figure.Name, name+"_") {
			total += figure.Value
		}
	}
	return total
}

// MarshalJSON writes an object.
func (f Figures) MarshalJSON() ([]byte, error) {
	var b bytes.Buffer
	for i, figure := range f {
		if i > 0 {
			b.WriteByte(',')
		}
		name, err1 := json.Marshal(figure.Name)
		value, err2 := json.Marshal(figure.Value)
		if err1 != nil || err2 != nil {
			return nil, fmt.Errorf("figure %s: %v is no number", figure.Name, figure.Value)
		}
		fmt.Fprintf(&b, "%s:%s", name, value)
	}
	return fmt.Appendf(nil, "{%s}", b.Bytes()), nil
}

// Distribution is that of a duration; all its numbers are milliseconds but Count.
type Distribution struct {
	Name   string  `json:"name"`
	Count  int64   `json:"count"`
	Mean   float64 `json:"mean_ms"`
	Min    float64 `json:"min_ms"`
	P50    float64 `json:"p50_ms"`
	P90    float64 `json:"p90_ms"`
	P99    float64 `json:"p99_ms"`
	P999   float64 `json:"p999_ms"`
	Max    float64 `json:"max_ms"`
	Points []Point `json:"points"` // for plots
}

// Point says which duration a share of all did not exceed.
type Point struct {
	Percentile float64 `json:"percentile"`
	Ms         float64 `json:"ms"`
}

// Series is a number over time, from the scenario's beginning.
type Series struct {
	Name   string    `json:"name"`
	Unit   string    `json:"unit"`
	Step   float64   `json:"step_s"` // seconds from one value to the next
	Values []float64 `json:"values"`
}
