package report

import (
	"fmt"
	"io"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"
)

// WriteTable shows the results on a terminal, or anywhere else that takes text.
func (r *Report) WriteTable(w io.Writer) error {
	var b strings.Builder
	fmt.Fprintf(&b, "\n%s, %s\n", r.Target, r.At.Format("2006-01-02 15:04:05 MST"))
	for _, result := range r.Results {
		result.write(&b)
	}
	r.writeOverview(&b)
	if r.Interrupted {
		b.WriteString("\nInterrupted: what is above was measured until then.\n")
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func (r *Result) write(b *strings.Builder) {
	fmt.Fprintf(b, "\n%s\n", strings.TrimSuffix(r.Scenario+": "+r.Title, ": "))
	if r.Skipped != "" {
		fmt.Fprintf(b, "  skipped: %s\n", r.Skipped)
	}
	if r.Error != "" {
		fmt.Fprintf(b, "  error: %s\n", r.Error)
	}
	table := tabwriter.NewWriter(b, 0, 0, 2, ' ', 0)
	for _, f := range r.Figures {
		fmt.Fprintf(table, "  %s\t%s\n", f.Label(), f.Text())
	}
	_ = table.Flush() // a strings.Builder takes everything
	if len(r.Distributions) > 0 {
		table = tabwriter.NewWriter(b, 0, 0, 2, ' ', tabwriter.AlignRight)
		fmt.Fprintln(table, "  ms\tcount\tmean\tp50\tp90\tp99\tp99.9\tmax\t")
		for _, d := range r.Distributions {
			fmt.Fprintf(table, "  %s\t%d\t", forPeople(d.Name), d.Count)
			for _, v := range []float64{d.Mean, d.P50, d.P90, d.P99, d.P999, d.Max} {
				fmt.Fprintf(table, "%s\t", short(v))
			}
			fmt.Fprintln(table)
		}
		_ = table.Flush()
	}
	for _, reason := range slices.Sorted(maps.Keys(r.Failures)) {
		fmt.Fprintf(b, "  %d × %s\n", r.Failures[reason], reason)
	}
	for _, reason := range slices.Sorted(maps.Keys(r.Retried)) {
		fmt.Fprintf(b, "  %d × tried again after %s\n", r.Retried[reason], reason)
	}
}

// Label is the figure's name for people.
func (f Figure) Label() string { return forPeople(f.Name) }

// Text is the figure's value for people: whole numbers in groups of three.
func (f Figure) Text() string {
	if f.Value != float64(int64(f.Value)) {
		return short(f.Value)
	}
	text := strconv.FormatInt(int64(f.Value), 10)
	for i := len(text) - 3; i > 0 && text[i-1] != '-'; i -= 3 {
		text = text[:i] + " " + text[i:]
	}
	return text
}

// short is a number with three digits that count, or more before the point.
func short(v float64) string {
	switch {
	case math.Abs(v) >= 100:
		return Figure{Value: math.Round(v)}.Text()
	case math.Abs(v) >= 10:
		return strconv.FormatFloat(v, 'f', 1, 64)
	default:
		return strconv.FormatFloat(v, 'f', 2, 64)
	}
}
