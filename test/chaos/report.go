package main

import (
	"fmt"
	"io"
	"text/tabwriter"
	"time"
)

// outcome is what one fault did to all clients.
type outcome struct {
	fault     string
	times     int // it was done; 0 means once
	took      time.Duration
	tally     Tally
	elsewhere time.Duration // longest pause of clients at edges that the fault does not touch; 0 where it touches none
	peak      float64       // sessions that began in one second at one edge
	err       error         // the fault could not be done or put right
}

func (o *outcome) failed() bool { return o.err != nil || o.tally.broken() || o.tally.Events == 0 }

// line is an outcome in a few words.
func (o *outcome) line() string {
	text := fmt.Sprintf("%.0f s, longest pause %.1f s", o.took.Seconds(), o.tally.LongestPause.Seconds())
	if o.failed() {
		t := o.tally
		text += fmt.Sprintf(" BROKEN: %d events, %d lost, %d duplicated, %d reordered, %d unannounced, %d never back", t.Events, t.Lost, t.Duplicated, t.Reordered, t.Unannounced, t.NeverBack)
	}
	if o.err != nil {
		text += ": " + o.err.Error()
	}
	for _, e := range o.tally.Evidence {
		text += "\n  " + e
	}
	return text
}

// merge makes one outcome for each fault, in the order in which they were first done.
func merge(outcomes []outcome) (merged []*outcome) {
	faults := map[string]*outcome{}
	for _, o := range outcomes {
		m := faults[o.fault]
		if m == nil {
			m = &outcome{fault: o.fault}
			faults[o.fault] = m
			merged = append(merged, m)
		}
		m.times++
		m.took = max(m.took, o.took)
		m.elsewhere = max(m.elsewhere, o.elsewhere)
		m.peak = max(m.peak, o.peak)
		m.tally.add(o.tally)
		if o.err != nil {
			m.err = o.err
		}
		if o.tally.Events == 0 && m.err == nil {
			m.err = fmt.Errorf("nobody got an event")
		}
	}
	return merged
}

// print writes a line for each fault; what must be 0 and is not is marked. Pauses, rates and times are the
// longest and highest of all rounds, everything else is their sum.
func print(w io.Writer, outcomes []outcome) {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(t, "fault\ttimes\tevents\tlost\tdup\treordered\tunannounced\tnever back\trecovered\tsnapshots\tlongest pause\tat other edges\tconnects/s\ttook\t")
	merged := merge(outcomes)
	for _, o := range merged {
		y, others := o.tally, "-"
		if o.elsewhere > 0 {
			others = fmt.Sprintf("%.1f s", o.elsewhere.Seconds())
		}
		fmt.Fprintf(t, "%s\t%d\t%d\t%d\t%d\t%d\t%d\t%d\t%d\t%d\t%.1f s\t%s\t%.0f\t%.0f s\t", o.fault, o.times, y.Events, y.Lost, y.Duplicated, y.Reordered, y.Unannounced,
			y.NeverBack, y.Recovered, y.Snapshots, y.LongestPause.Seconds(), others, o.peak, o.took.Seconds())
		if o.failed() {
			fmt.Fprint(t, "BROKEN")
		}
		fmt.Fprintln(t)
	}
	_ = t.Flush() // to a terminal or a buffer
	for _, o := range merged {
		if o.err != nil {
			fmt.Fprintf(w, "%s: %v\n", o.fault, o.err)
		}
	}
}
