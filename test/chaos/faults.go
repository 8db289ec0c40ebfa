package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"syscall"
	"time"
)

// fault is something that goes wrong and is then put right; after it, everything runs again.
type fault struct {
	name  string
	short bool // belongs to the short form
	many  bool // of the clients are there
	do    func(ctx context.Context, k *stack, l *load) error

	edge   func(k *stack) *node // the one edge it touches; nil: it does not touch just one
	others time.Duration        // how long clients of the other edges may at most be without an event; 0 for any time
}

// stopPatience is how long a service may take over an orderly end: its drain and its grace.
const stopPatience = 60 * time.Second

func secondEdge(k *stack) *node { return k.edges[1] }

var faults = []fault{
	{name: "kill -9 an edge", short: true, edge: secondEdge, do: func(ctx context.Context, k *stack, _ *load) error { return killed(ctx, k.edges[1]) }},
	{name: "kill -9 a fanout", short: true, do: func(ctx context.Context, k *stack, _ *load) error { return killed(ctx, k.fanouts[0]) }},
	{name: "kill -9 a fanout, twice in a row", do: func(ctx context.Context, k *stack, _ *load) error {
		return errors.Join(killed(ctx, k.fanouts[0]), killed(ctx, k.fanouts[1]))
	}},
	{name: "rolling restart of all edges, then all fanouts", short: true, do: func(ctx context.Context, k *stack, _ *load) error {
		for _, n := range slices.Concat(k.edges, k.fanouts) {
			if err := restarted(ctx, n); err != nil {
				return err
			}
		}
		return nil
	}},
	{name: "an edge drained", edge: secondEdge, do: func(ctx context.Context, k *stack, _ *load) error { return restarted(ctx, k.edges[1]) }},
	{name: "kill -9 the NATS server that leads the stream", do: func(ctx context.Context, k *stack, _ *load) error { return natsKilled(ctx, k, true) }},
	{name: "kill -9 a NATS server that follows", do: func(ctx context.Context, k *stack, _ *load) error { return natsKilled(ctx, k, false) }},
	{name: "all of NATS gone for 20 s", do: func(ctx context.Context, k *stack, _ *load) error {
		for _, p := range k.nats {
			p.signal(syscall.SIGTERM)
		}
		for _, p := range k.nats {
			<-p.ended
		}
		pause(ctx, 20*time.Second)
		for _, p := range k.nats {
			if err := p.start(); err != nil {
				return err
			}
		}
		return nil
	}},
	{name: "Redis paused for 30 s", do: func(ctx context.Context, k *stack, _ *load) error {
		return paused(ctx, k.redis, 30*time.Second)
	}},
	{name: "Redis killed, and empty afterwards", short: true, do: func(ctx context.Context, k *stack, _ *load) error {
		k.redis.kill()
		pause(ctx, time.Second)
		return k.redis.start()
	}},
	{name: "network cut between an edge and a fanout, 10 s", do: func(ctx context.Context, k *stack, _ *load) error {
		return disturbed(ctx, k.wires[0], wireCut)
	}},
	{name: "packets vanish between an edge and a fanout, 10 s", do: func(ctx context.Context, k *stack, _ *load) error {
		return disturbed(ctx, k.wires[0], wireSilent)
	}},
	{name: "SIGSTOP an edge for 10 s, some tracks large", short: true, edge: secondEdge, others: 5 * time.Second, do: func(ctx context.Context, k *stack, l *load) error {
		defer l.bot.enlarge(20_000)() // so that what waits for it is more than connections take
		return paused(ctx, k.edges[1].process, 10*time.Second)
	}},
	{name: "SIGSTOP a fanout for 10 s: it wakes up believing it still owns", do: func(ctx context.Context, k *stack, _ *load) error {
		return paused(ctx, k.fanouts[0].process, 10*time.Second)
	}},
	{name: "every connection cut every 15 s for 2 minutes", do: func(ctx context.Context, _ *stack, l *load) error {
		return cuts(ctx, l, 8, 15*time.Second)
	}},
	{name: "every connection cut", short: true, do: func(ctx context.Context, _ *stack, l *load) error { return cuts(ctx, l, 1, time.Second) }},
	{name: "a fifth of the clients stops reading", do: stalls},
	{name: "bot killed, and repeating from its last event", short: true, do: func(ctx context.Context, _ *stack, l *load) error {
		for range 10 {
			l.bot.die(ctx)
			pause(ctx, 300*time.Millisecond)
		}
		return nil
	}},
	{name: "an edge drained that has its share of many clients", many: true, edge: secondEdge, do: func(ctx context.Context, k *stack, _ *load) error { return restarted(ctx, k.edges[1]) }},
}

// pause lets a fault last. It is no wait for anything to be done.
func pause(ctx context.Context, d time.Duration) {
	select {
	case <-time.After(d):
	case <-ctx.Done():
	}
}

// killed kills a service and, when the others have taken over, starts it again.
func killed(ctx context.Context, n *node) error {
	n.kill()
	pause(ctx, 5*time.Second)
	return back(ctx, n)
}

// restarted ends a service in order and starts it again.
func restarted(ctx context.Context, n *node) error {
	if err := n.terminate(stopPatience); err != nil {
		return err
	}
	return back(ctx, n)
}

func back(ctx context.Context, n *node) error {
	if err := n.start(); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	return n.await(ctx)
}

// natsKilled kills the server that leads the event stream, or one that does not, and starts it again.
func natsKilled(ctx context.Context, k *stack, leads bool) error {
	leader, err := k.streamLeader(ctx)
	if err != nil {
		return err
	}
	i := slices.IndexFunc(k.nats, func(p *process) bool { return (p.name == leader) == leads })
	if i < 0 {
		return fmt.Errorf("no NATS server to kill: %s leads", leader)
	}
	k.nats[i].kill()
	pause(ctx, 5*time.Second)
	return k.nats[i].start()
}

func paused(ctx context.Context, p *process, d time.Duration) error {
	p.signal(syscall.SIGSTOP)
	pause(ctx, d)
	p.signal(syscall.SIGCONT)
	return nil
}

func disturbed(ctx context.Context, w *wire, s wireState) error {
	w.set(s)
	pause(ctx, 10*time.Second)
	w.set(wireWhole)
	return nil
}

func cuts(ctx context.Context, l *load, times int, every time.Duration) error {
	for range times {
		if err := l.cut(); err != nil {
			return err
		}
		pause(ctx, every)
	}
	return nil
}

// stalls lets every fifth client in Go stop reading while some guilds' tracks are large, so that what
// waits for them passes every bound.
func stalls(ctx context.Context, _ *stack, l *load) error {
	defer l.bot.enlarge(100_000)()
	stalled := 0
	for _, c := range l.crowds {
		n, err := c.stall()
		if err != nil {
			return err
		}
		stalled += n
	}
	pause(ctx, 25*time.Second)
	for _, c := range l.crowds {
		if err := c.resume(); err != nil {
			return err
		}
	}
	if stalled == 0 {
		return errors.New("nobody could be stopped from reading")
	}
	return nil
}
