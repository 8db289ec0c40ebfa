package report

import (
	"fmt"
	"strings"
	"text/tabwriter"
)

// row is a result in one line.
type row struct {
	Scenario, Took, Clients string
	Timed, P50, P99         string // the last of its distributions, which is of what the scenario is about
	Outcome                 string
	Bad                     bool
}

// overview is a row for each result where there are several; one says all of itself.
func (r *Report) overview() (rows []row) {
	if len(r.Results) < 2 {
		return nil
	}
	for _, result := range r.Results {
		one := row{Scenario: result.Scenario, Clients: result.Figures.text("clients")}
		one.Outcome, one.Bad = result.outcome()
		if result.Skipped == "" {
			one.Took = short(result.Seconds)
		}
		if n := len(result.Distributions); n > 0 {
			d := result.Distributions[n-1]
			one.Timed, one.P50, one.P99 = forPeople(d.Name), short(d.P50), short(d.P99)
		}
		rows = append(rows, one)
	}
	return rows
}

// outcome is a result in a few words.
func (r *Result) outcome() (text string, bad bool) {
	switch {
	case r.Skipped != "":
		return "skipped", false
	case r.Error != "":
		return "error", true
	}
	var wrong []string
	for _, count := range []struct {
		n    int
		what string
	}{{r.Failed(), "failed"}, {int(r.Lost()), "lost"}, {int(r.Misplaced()), "twice or late"}} {
		if count.n > 0 {
			wrong = append(wrong, fmt.Sprint(count.n, " ", count.what))
		}
	}
	if len(wrong) == 0 {
		return "ok", false
	}
	return strings.Join(wrong, ", "), true
}

// writeOverview closes the table.
func (r *Report) writeOverview(b *strings.Builder) {
	rows := r.overview()
	if len(rows) == 0 {
		return
	}
	b.WriteString("\nOverview\n")
	table := tabwriter.NewWriter(b, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "  scenario\ttook, s\tclients\ttimes of\tp50, ms\tp99, ms\toutcome")
	for _, one := range rows {
		fmt.Fprintf(table, "  %s\t%s\t%s\t%s\t%s\t%s\t%s\n", one.Scenario, one.Took, one.Clients, one.Timed, one.P50, one.P99, one.Outcome)
	}
	_ = table.Flush() // a strings.Builder takes everything
}
