// Package scenario puts a Socket.IO server under load and measures what its clients see.
//
// A scenario needs of the server what its needs function says, and nothing else. All of them end early with
// their context, and then report what they have measured until then.
package scenario

import (
	"context"
	"fmt"
	"slices"

	"github.com/pona-realtime/pona/test/load/report"
)

// scenario is one kind of load.
type scenario struct {
	name  string
	needs func(*Settings) string // what is missing; nil: it needs nothing
	do    func(context.Context, *run) error
}

var scenarios = []scenario{
	{"connect", nil, connect},
	{"idle", nil, idle},
	{"broadcast", needsSource, broadcast},
	{"namespaces", needsNamespaces, namespaces},
	{"reconnect", nil, reconnect},
	{"jitter", nil, jitter},
	{"avalanche", nil, avalanche},
	{"latency", needsAnswer, latency},
	{"compression", needsSource, compression},
}

// Progress hears how far a scenario is: done of total steps of what it is doing. It may be called by many
// goroutines.
type Progress func(scenario, doing string, done, total int)

// Run runs the scenarios that the settings name, in the order of this package, and hands each result to
// finished. Where ctx ends before its time, the last result is of what was measured until then.
func Run(ctx context.Context, s *Settings, progress Progress, finished func(*report.Result)) {
	for _, sc := range scenarios {
		asked := slices.Contains(s.Scenarios, sc.name)
		if !asked && !slices.Contains(s.Scenarios, "all") {
			continue
		}
		if sc.needs != nil && sc.needs(s) != "" {
			r := &report.Result{Scenario: sc.name, Skipped: sc.needs(s)}
			if asked {
				r.Skipped, r.Error = "", r.Skipped
			}
			finished(r)
			continue
		}
		sizes := []int{s.Clients}
		if sc.name == "broadcast" {
			sizes = s.Rooms
		}
		for _, clients := range sizes {
			if ctx.Err() != nil {
				return
			}
			r := &run{Settings: s, clients: clients, progress: progress, result: &report.Result{Scenario: sc.name}}
			r.measure(ctx, sc.do)
			finished(r.result)
		}
	}
}

// needsSource is what scenarios need in which events are sent.
func needsSource(s *Settings) string {
	if s.EmitEvent == "" && s.PonaFanout == "" && s.Redis == "" {
		return "nothing emits: set emit-event to an event that the server relays, or pona-fanout, or redis"
	}
	return ""
}

// needsNamespaces is what a switch needs. To leave a namespace and join the same again would not do: npm's
// server closes the connection when both packets arrive together.
func needsNamespaces(s *Settings) string {
	if len(s.Namespace) < 2 {
		return "set namespace to two or more that the server has"
	}
	return ""
}

// needsAnswer is what scenarios need in which clients ask.
func needsAnswer(s *Settings) string {
	if s.AckEvent == "" && s.AskEvent == "" {
		return "nothing answers: set ack-event to an event that the server acknowledges, or ask-event and reply-event"
	}
	return ""
}

// connect has clients come, and go again.
func connect(ctx context.Context, r *run) error {
	r.title("%d clients connect over %s, %s", r.clients, r.Transport, perSecond(r.Rate))
	c := r.newCrowd("")
	defer c.disperse()
	return c.gather(ctx, r.clients)
}

// idle has clients stay and say nothing.
func idle(ctx context.Context, r *run) error {
	r.title("%d clients over %s stay for %s and are sent nothing", r.clients, r.Transport, r.For)
	c := r.newCrowd("")
	defer c.disperse()
	if err := c.gather(ctx, r.clients); err != nil {
		return err
	}
	r.rest(ctx, "idle", r.For)
	r.result.Figures.Add("pings_answered", float64(c.pings()))
	r.result.Figures.Add("sessions_lost", float64(c.lost.Load()))
	return nil
}

func perSecond(rate float64) string {
	if rate == 0 {
		return "as fast as they can"
	}
	return fmt.Sprintf("%g a second", rate)
}
