package main

import (
	"fmt"
	"io"
	"text/tabwriter"
	"time"
)

// outcome is what one fault did to all clients.
type outcome struct {
	fault string
	took  time.Duration
	tally tally
	peak  int64 // connections accepted in one second
	err   error // the fault could not be done or put right
}

func (o *outcome) failed() bool { return o.err != nil || o.tally.broken() || o.tally.Events == 0 }

// print writes a line for each fault; what must be 0 and is not is marked.
func print(w io.Writer, outcomes []outcome) {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(t, "fault\tevents\tlost\tdup\treordered\tunannounced\tnever back\trecovered\tsnapshots\tlongest pause\tconnects/s\ttook\t")
	for _, o := range outcomes {
		y := o.tally
		fmt.Fprintf(t, "%s\t%d\t%d\t%d\t%d\t%d\t%d\t%d\t%d\t%.1f s\t%d\t%.0f s\t", o.fault, y.Events, y.Lost, y.Duplicated, y.Reordered, y.Unannounced,
			y.NeverBack, y.Recovered, y.Snapshots, y.LongestPause.Seconds(), o.peak, o.took.Seconds())
		if o.failed() {
			fmt.Fprint(t, "BROKEN")
		}
		fmt.Fprintln(t)
	}
	_ = t.Flush() // to a terminal or a buffer
	for _, o := range outcomes {
		if o.err != nil {
			fmt.Fprintf(w, "%s: %v\n", o.fault, o.err)
		}
	}
}
