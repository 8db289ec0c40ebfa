// Bench measures what a delivered event and an idle connection cost, beside Node's socket.io on the
// same machine in the same run.
//
// The peers take turns, round by round, and each run starts its peer afresh:
//
//	node     npm's socket.io with production settings (test/bench/node)
//	library  pkg/socketio alone (bin/conformance-server)
//	pair     NATS, fanout and edge as processes, and a bot that publishes over gRPC
//	node-2   two Node processes with npm's @socket.io/redis-adapter, and their Redis
//	pair-2   the pair with a second edge
//
// The last two are measured with many small guilds only, whose sockets are on both servers.
//
// The figure to compare is CPU time of the measured processes (their CPU clock, user and system, all
// threads); wall time is noise on a shared machine. Latency runs from just before the emit (at the
// pair: before the bot publishes) to the read in the client, on one clock. Both ends are on
// loopback, so the CPU figures hold the receiver's share of TCP too, the same for every peer.
//
// `bench siege` (siege.go) measures what the clients of library and Node notice of attacks.
//
// peers.json describes library and pair to other generators that speak the control protocol of plan.
package main

import (
	"errors"
	"fmt"
	"os"
	"os/signal"
	"runtime"
	"slices"
	"syscall"

	"github.com/pona-realtime/pona/pkg/settings"
	"github.com/pona-realtime/pona/test/load/stamp"
)

type options struct {
	Peers     []string `default:"node,library,pair,node-2,pair-2" enum:"node,library,pair,node-2,pair-2" help:"What to measure."`
	Rounds    int      `default:"3" unit:"rounds" help:"Runs of each peer and scenario; medians are shown."`
	Sockets   int      `default:"1000" unit:"sockets" help:"In the one room of the broadcast and burst scenarios."`
	Events    int      `default:"200" unit:"events" help:"Measured events of these scenarios; half as many warm up before."`
	Rate      float64  `default:"50" unit:"events a second" help:"How fast they are emitted."`
	Size      int      `default:"200" unit:"bytes" help:"Text of each event."`
	Guilds    int      `default:"500" unit:"guilds" help:"Of the guilds scenario, each with four sockets and four events."`
	GuildRate float64  `default:"500" unit:"events a second" help:"How fast events of the guilds scenario are emitted, to one guild after the other."`
	Idle      int      `default:"5000" unit:"connections" help:"Of the idle scenario, five to a guild."`
	Bin       string   `default:"bin" unit:"path" help:"Folder of the built programs."`
	Node      string   `default:"test/bench/node" unit:"path" help:"Folder of the Node peer, with its packages."`
	Out       string   `default:"artifacts/bench.json" unit:"path" help:"Where every run is written, as JSON."`
}

func (o *options) Validate() error {
	switch {
	case o.Rounds < 1 || o.Rounds > 99:
		return errors.New("rounds must be 1 to 99")
	case o.Sockets < 1 || o.Events < 2 || o.Rate <= 0 || o.GuildRate <= 0 || o.Guilds < 1 || o.Idle < 1:
		return errors.New("sockets, events, rates, guilds and idle must be positive, events at least 2")
	case o.Size < stamp.Size || o.Size > 60_000:
		return fmt.Errorf("size must be %d to 60000", stamp.Size)
	}
	return nil
}

func main() {
	if len(os.Args) > 1 {
		switch os.Args[1] {
		case natsRole: // started by ourselves, see peer_pair.go
			exit(serveNATS(os.Args[2:]))
		case botRole:
			exit(serveBot(os.Args[2:]))
		case siegeRole:
			exit(serveSiege(os.Args[2:]))
		case attackerRole:
			exit(serveAttack(os.Args[2:]))
		}
	}
	runtime.LockOSThread() // what we start dies with this thread
	program := settings.Program{
		Name:        "bench",
		Description: "Measures our servers beside Node's socket.io: CPU, allocations and latency of deliveries, memory of idle connections.",
		EnvPrefix:   "PONA_BENCH",
	}
	var o options
	proceed, err := settings.Parse(program, &o, os.Args[1:], os.Stdout)
	if err != nil {
		exit(err)
	}
	if proceed {
		exit(run(o))
	}
}

func exit(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
	os.Exit(0)
}

func run(o options) error {
	if err := raiseFileLimit(uint64(max(o.Idle, o.Sockets, 4*o.Guilds) + 500)); err != nil {
		return err
	}
	logs, err := os.MkdirTemp("", "pona-bench-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(logs)
	interrupted := make(chan os.Signal, 1)
	signal.Notify(interrupted, os.Interrupt, syscall.SIGTERM)

	var all []outcome
	for round := range o.Rounds {
		for _, s := range scenarios(o) {
			for _, kind := range kinds {
				if !slices.Contains(o.Peers, kind) || !s.of(kind) {
					continue
				}
				select {
				case s := <-interrupted:
					return fmt.Errorf("ended by %v", s)
				default:
				}
				got := once(o, logs, kind, s)
				got.Round = round + 1
				fmt.Fprintf(os.Stderr, "round %d of %d  %s\n", round+1, o.Rounds, got.line())
				all = append(all, got)
			}
		}
	}
	if err := writeJSON(o, all); err != nil {
		return err
	}
	writeTables(os.Stdout, o, all)
	for _, got := range all {
		if got.Error != "" {
			return fmt.Errorf("%s, %s: %s", got.Scenario, got.Peer, got.Error)
		}
	}
	return nil
}

// once starts a peer, measures one scenario and ends the peer.
func once(o options, logs, kind string, s scenario) outcome {
	got := outcome{Scenario: s.name, Peer: kind}
	p, err := startPeer(o, logs, kind)
	if err == nil {
		err = s.measure(p, &got)
		p.stop()
	}
	if err != nil {
		got.Error = err.Error()
	}
	return got
}

// raiseFileLimit lets this process and those it starts open n files.
func raiseFileLimit(n uint64) error {
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		return fmt.Errorf("file limit: %w", err)
	}
	if limit.Max < n {
		return fmt.Errorf("%d open files are needed, the hard limit is %d (ulimit -Hn)", n, limit.Max)
	}
	limit.Cur = limit.Max
	if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		return fmt.Errorf("file limit: %w", err)
	}
	return nil
}
