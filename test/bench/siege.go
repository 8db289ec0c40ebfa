package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"runtime"
	"slices"
	"syscall"
	"time"

	"github.com/pona-realtime/pona/pkg/settings"
)

// siegeRole as first argument measures what other clients notice while one address attacks.
const siegeRole = "siege"

type siegeOptions struct {
	Peers      []string      `default:"node,library" enum:"node,library,pair" help:"What to attack."`
	Attacks    []string      `unit:"names, comma separated" help:"Which attacks; none means all."`
	Bystanders int           `default:"100" unit:"clients" help:"Who minds their own business meanwhile, ten to a guild; each asks four questions a second."`
	Rate       float64       `default:"250" unit:"events a second" help:"How fast events are emitted, to one guild after the other."`
	Peace      time.Duration `default:"2s" help:"Time measured before and after each attack."`
	Attack     time.Duration `default:"4s" help:"Time of each attack."`
	Bin        string        `default:"bin" unit:"path" help:"Folder of the built programs."`
	Node       string        `default:"test/bench/node" unit:"path" help:"Folder of the Node peer, with its packages."`
	Out        string        `default:"artifacts/siege.json" unit:"path" help:"Where every run is written, as JSON."`
}

func (o *siegeOptions) Validate() error {
	if o.Bystanders < 1 || o.Rate <= 0 || o.Peace <= 0 || o.Attack <= 0 {
		return errors.New("bystanders, rate, peace and attack must be positive")
	}
	for _, name := range o.Attacks {
		if !slices.ContainsFunc(attacks(), func(a attack) bool { return a.name == name }) {
			return fmt.Errorf("attacks: there is none called %q", name)
		}
	}
	return nil
}

// serveSiege lays siege to each peer with each attack in turn.
func serveSiege(args []string) error {
	runtime.LockOSThread() // what we start dies with this thread
	program := settings.Program{
		Name:        "bench siege",
		Description: "Measures what other clients of a server notice while one address attacks it.",
		EnvPrefix:   "PONA_SIEGE",
	}
	var o siegeOptions
	proceed, err := settings.Parse(program, &o, args, os.Stdout)
	if err != nil || !proceed {
		return err
	}
	if err := raiseFileLimit(uint64(o.Bystanders + 1000)); err != nil {
		return err
	}
	logs, err := os.MkdirTemp("", "pona-siege-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(logs)
	interrupted := make(chan os.Signal, 1)
	signal.Notify(interrupted, os.Interrupt, syscall.SIGTERM)

	var all []ordeal
	for _, kind := range o.Peers {
		for _, a := range attacks() {
			if len(o.Attacks) > 0 && !slices.Contains(o.Attacks, a.name) {
				continue
			}
			select {
			case s := <-interrupted:
				return fmt.Errorf("ended by %v", s)
			default:
			}
			got := ordeal{Peer: kind, Attack: a.name}
			if err := got.measure(o, logs); err != nil {
				got.Error = err.Error()
			}
			fmt.Fprintln(os.Stderr, got.line())
			all = append(all, got)
		}
	}
	return reportSiege(os.Stdout, o, all)
}

func writeSiege(o siegeOptions, all []ordeal) error {
	text, err := json.MarshalIndent(struct {
		At      string       `json:"at"`
		Machine machine      `json:"machine"`
		Options siegeOptions `json:"options"`
		Runs    []ordeal     `json:"runs"`
	}{time.Now().UTC().Format(time.RFC3339), thisMachine(), o, all}, "", "  ")
	if err == nil {
		err = os.MkdirAll(filepath.Dir(o.Out), 0o755)
	}
	if err == nil {
		err = os.WriteFile(o.Out, append(text, '\n'), 0o644)
	}
	return err
}
