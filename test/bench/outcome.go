package main

import (
	"fmt"
	"strings"
)

// outcome is what one run measured. Figures of other scenarios are 0.
type outcome struct {
	Scenario string `json:"scenario"`
	Peer     string `json:"peer"`
	Round    int    `json:"round"`
	Error    string `json:"error,omitempty"`

	// broadcast, burst, guilds
	CPU        float64            `json:"cpu_us_per_delivery,omitempty"`
	UserCPU    float64            `json:"user_cpu_us_per_delivery,omitempty"`
	CPUOf      map[string]float64 `json:"cpu_us_per_delivery_of,omitempty"` // by process
	Allocs     *float64           `json:"allocs_per_delivery,omitempty"`    // nil where unknown
	P50        float64            `json:"latency_p50_ms,omitempty"`
	P99        float64            `json:"latency_p99_ms,omitempty"`
	Delivered  int                `json:"delivered,omitempty"`
	Lost       int                `json:"lost"`
	OutOfOrder int                `json:"repeated_or_late"`

	// idle; of the process that holds the connections
	Rested    float64          `json:"bytes_per_connection_after_5s,omitempty"`
	Collected float64          `json:"bytes_per_connection_after_gc,omitempty"`
	GrowthOf  map[string]int64 `json:"resident_growth_of,omitempty"` // by process, bytes, after collection
}

func (o *outcome) deliveries(p *peer, expected int, t *tally, before, after usage) {
	o.Delivered, o.OutOfOrder = t.delivered, t.repeated
	o.Lost = expected - t.delivered
	if t.delivered == 0 {
		o.Error = "nothing was delivered"
		return
	}
	n := float64(t.delivered)
	o.CPUOf = make(map[string]float64)
	for i, proc := range p.processes {
		each := float64((after.cpu[i] - before.cpu[i]).Nanoseconds()) / 1e3 / n
		o.CPUOf[proc.name] = each
		o.CPU += each
	}
	o.UserCPU = float64((after.user - before.user).Microseconds()) / n
	if before.mallocs > 0 {
		allocs := float64(after.mallocs-before.mallocs) / n
		o.Allocs = &allocs
	}
	o.P50 = t.percentile(50).Seconds() * 1e3
	o.P99 = t.percentile(99).Seconds() * 1e3
}

func (o *outcome) memory(p *peer, connections int, empty, rested, full usage) {
	o.Rested = float64(rested.resident[0]-empty.resident[0]) / float64(connections)
	o.Collected = float64(full.resident[0]-empty.resident[0]) / float64(connections)
	o.GrowthOf = make(map[string]int64)
	for i, proc := range p.processes {
		o.GrowthOf[proc.name] = full.resident[i] - empty.resident[i]
	}
}

// line is the run in short, for whoever watches.
func (o *outcome) line() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%-9s  %-7s  ", o.Scenario, o.Peer)
	switch {
	case o.Error != "":
		b.WriteString(o.Error)
	case o.Scenario == idleName:
		fmt.Fprintf(&b, "%.0f bytes a connection", o.Collected)
	default:
		fmt.Fprintf(&b, "%.2f µs a delivery, p50 %.2f ms, p99 %.2f ms", o.CPU, o.P50, o.P99)
		if o.Lost+o.OutOfOrder > 0 {
			fmt.Fprintf(&b, ", %d lost, %d out of order", o.Lost, o.OutOfOrder)
		}
	}
	return b.String()
}
