package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"
)

// ordeal is what one attack on one peer did.
type ordeal struct {
	Peer   string `json:"peer"`
	Attack string `json:"attack"`
	Error  string `json:"error,omitempty"` // the process or a bystander did not live

	Before   calm         `json:"before"`
	During   calm         `json:"during"`
	After    calm         `json:"after"`
	Attacker attackReport `json:"attacker"`
	CPU      float64      `json:"server_cpu_s_per_s"`         // while attacked
	Peak     int64        `json:"server_peak_resident_bytes"` // while attacked
	Resident [2]int64     `json:"server_resident_bytes"`      // before and after, collected
}

// calm is what bystanders noticed in one phase: latencies in ms.
type calm struct {
	EventP50  float64 `json:"event_p50_ms"`
	EventP99  float64 `json:"event_p99_ms"`
	AnswerP50 float64 `json:"answer_p50_ms"`
	AnswerP99 float64 `json:"answer_p99_ms"`
	Events    int     `json:"events"`
	Answers   int     `json:"answers"`
	Lost      int     `json:"lost"` // events, and questions without answer
}

// measure starts a peer, and gathers bystanders around it: peace, attack, peace.
func (got *ordeal) measure(o siegeOptions, logs string) error {
	p, err := startPeer(options{Bin: o.Bin, Node: o.Node}, logs, got.Peer)
	if err != nil {
		return err
	}
	defer p.stop()
	guilds := max(o.Bystanders/10, 1)
	c, err := newCrowd(p.clients, firstGuild, guilds)
	if err != nil {
		return err
	}
	defer c.close()
	if err := c.grow(o.Bystanders, joinLimit); err != nil {
		return err
	}
	c.questions.every = time.Second / time.Duration(4*o.Bystanders)
	phase := func(run int, d time.Duration) (calm, error) {
		pl := plan{
			Event: "bench", Room: "pona! music", First: firstGuild, Guilds: guilds, Rate: o.Rate, Burst: 1,
			Run: run, Count: max(int(d.Seconds()*o.Rate)/guilds, 1) * guilds, Bodies: []string{strings.Repeat("pona ", 32)},
		}
		err := c.emission(p, pl)
		t := &c.tally
		ms := func(ns []int64, n int) float64 { return percentile(ns, n).Seconds() * 1e3 }
		return calm{
			ms(t.latency, 50), ms(t.latency, 99), ms(t.answers, 50), ms(t.answers, 99),
			t.delivered, len(t.answers), pl.Count*c.joined/guilds - t.delivered + c.questions.open,
		}, err
	}

	if _, err = phase(1, o.Peace/2); err != nil { // a warm-up
		return err
	}
	if got.Before, err = phase(2, o.Peace); err != nil {
		return err
	}
	before, err := settle(c, p)
	if err != nil {
		return err
	}
	if err := got.attacked(o, p, logs, func() (err error) {
		got.During, err = phase(3, o.Attack)
		return err
	}); err != nil {
		return fmt.Errorf("while attacked: %w", err)
	}
	after, err := settle(c, p)
	if err != nil {
		return err
	}
	got.Resident = [2]int64{before.resident[0], after.resident[0]}
	got.After, err = phase(4, o.Peace)
	return err
}

// attacked runs watch beside an attacker in a process of its own.
func (got *ordeal) attacked(o siegeOptions, p *peer, logs string, watch func() error) error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	if err := yieldProcessors(true); err != nil { // it takes none from whom it attacks, as if it ran elsewhere
		return err
	}
	attacker, err := start(logs, "attacker", nil, self, attackerRole, got.Attack, p.clients[0])
	if err := errors.Join(err, yieldProcessors(false)); err != nil {
		return err
	}
	defer attacker.stop() // again, where it has been stopped: that does nothing
	if err := attacker.waitFor(func() bool { return attacker.lastWords() != "" }); err != nil {
		return err
	}
	before, err := p.usage()
	if err != nil {
		return err
	}
	began := time.Now()
	err = watch()
	after, err2 := p.usage()
	took := time.Since(began)
	attacker.stop()
	if err := errors.Join(err, err2); err != nil {
		return err
	}
	for i := range after.cpu {
		got.CPU += (after.cpu[i] - before.cpu[i]).Seconds() / took.Seconds()
	}
	got.Peak, err = p.processes[0].peak()
	if err != nil {
		return err
	}
	if err := json.Unmarshal([]byte(attacker.lastWords()), &got.Attacker); err != nil {
		return fmt.Errorf("the attacker: %s", attacker.lastWords())
	}
	return nil
}

// slack is what the 99th percentile may rise by beside twice that of peace.
const slack = 1.0 // ms

// unchanged tells whether bystanders noticed nothing: both 99th percentiles are within twice those of
// the same run's peace (the worse of before and after), and a millisecond, and nothing was lost.
func (got *ordeal) unchanged() bool {
	return got.Error == "" && got.Before.Lost+got.During.Lost+got.After.Lost == 0 &&
		got.During.EventP99 <= 2*max(got.Before.EventP99, got.After.EventP99)+slack &&
		got.During.AnswerP99 <= 2*max(got.Before.AnswerP99, got.After.AnswerP99)+slack
}
