package main

import (
	"fmt"
	"io"
	"text/tabwriter"
)

// reportSiege shows and writes all; its error says who did not survive. What took longer than it should
// is shown only: on a machine that does other things too a percentile proves nothing.
func reportSiege(w io.Writer, o siegeOptions, all []ordeal) error {
	if err := writeSiege(o, all); err != nil {
		return err
	}
	m := thisMachine()
	fmt.Fprintf(w, "\n%s, %d cores shared by server, attacker and %d bystanders, Linux %s, %s, Node %s\n", m.CPU, m.Cores, o.Bystanders, m.Kernel, m.Go, m.Node)
	fmt.Fprintf(w, "The attacker has one thread, %d connections and %d Mbit/s. p99 in ms: before / during / after; unchanged means at most twice peace and %g ms.\n",
		attackerConnections, attackerBandwidth*8/1_000_000, slack)
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "\npeer\tattack\tMB/s\ttries/s\tserver's cores\tevents p99\tanswers p99\tMB before, peak, after\t")
	var failed error
	for _, got := range all {
		if got.Error != "" {
			fmt.Fprintf(table, "%s\t%s\t%s\n", got.Peer, got.Attack, got.Error)
			failed = fmt.Errorf("%s, %s: %s", got.Peer, got.Attack, got.Error)
			continue
		}
		verdict := "unchanged"
		if !got.unchanged() {
			verdict = "NOTICED"
		}
		if lost := got.Before.Lost + got.During.Lost + got.After.Lost; lost > 0 {
			verdict = fmt.Sprintf("%d LOST", lost)
		}
		fmt.Fprintf(table, "%s\t%s\t%.2f\t%.0f\t%.2f\t%.2f / %.2f / %.2f\t%.2f / %.2f / %.2f\t%.0f, %.0f, %.0f\t%s\n", got.Peer, got.Attack,
			float64(got.Attacker.Sent)/1e6/got.Attacker.Took, float64(got.Attacker.Tries)/got.Attacker.Took, got.CPU,
			got.Before.EventP99, got.During.EventP99, got.After.EventP99,
			got.Before.AnswerP99, got.During.AnswerP99, got.After.AnswerP99,
			float64(got.Resident[0])/1e6, float64(got.Peak)/1e6, float64(got.Resident[1])/1e6, verdict)
	}
	if err := table.Flush(); err != nil {
		return err
	}
	fmt.Fprintf(w, "\nEvery run: %s\n", o.Out)
	return failed
}

// line is an ordeal in short, for whoever watches.
func (got *ordeal) line() string {
	if got.Error != "" {
		return fmt.Sprintf("%-8s %-22s %s", got.Peer, got.Attack, got.Error)
	}
	return fmt.Sprintf("%-8s %-22s events p99 %.2f / %.2f / %.2f ms, answers %.2f / %.2f / %.2f ms, %.2f cores, unchanged: %v", got.Peer, got.Attack,
		got.Before.EventP99, got.During.EventP99, got.After.EventP99,
		got.Before.AnswerP99, got.During.AnswerP99, got.After.AnswerP99, got.CPU, got.unchanged())
}
