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
	do    func(ctx context.Context, k *stack, l *load) error
}

// stopPatience is how long a service may take over an orderly end: its drain and its grace.
const stopPatience = 60 * time.Second

var faults = []fault{
	{"kill -9 an edge", true, func(ctx context.Context, k *stack, _ *load) error { return killed(ctx, k.edges[1]) }},
	{"kill -9 a fanout", true, func(ctx context.Context, k *stack, _ *load) error { return killed(ctx, k.fanouts[0]) }},
	{"kill -9 a fanout, twice in a row", false, func(ctx context.Context, k *stack, _ *load) error {
		return errors.Join(killed(ctx, k.fanouts[0]), killed(ctx, k.fanouts[1]))
	}},
	{"rolling restart of all edges, then all fanouts", true, func(ctx context.Context, k *stack, _ *load) error {
		for _, n := range slices.Concat(k.edges, k.fanouts) {
			if err := restarted(ctx, n); err != nil {
				return err
			}
		}
		return nil
	}},
	{"an edge drained", false, func(ctx context.Context, k *stack, _ *load) error { return restarted(ctx, k.edges[1]) }},
	{"kill -9 the NATS server that leads the stream", false, func(ctx context.Context, k *stack, _ *load) error { return natsKilled(ctx, k, true) }},
	{"kill -9 a NATS server that follows", false, func(ctx context.Context, k *stack, _ *load) error { return natsKilled(ctx, k, false) }},
	{"all of NATS gone for 20 s", false, func(ctx context.Context, k *stack, _ *load) error {
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
	{"Redis paused for 30 s", false, func(ctx context.Context, k *stack, _ *load) error {
		return paused(ctx, k.redis, 30*time.Second)
	}},
	{"Redis killed, and empty afterwards", true, func(ctx context.Context, k *stack, _ *load) error {
		k.redis.kill()
		pause(ctx, time.Second)
		return k.redis.start()
	}},
	{"network cut between an edge and a fanout, 10 s", false, func(ctx context.Context, k *stack, _ *load) error {
		return disturbed(ctx, k.wires[0], wireCut)
	}},
	{"packets vanish between an edge and a fanout, 10 s", false, func(ctx context.Context, k *stack, _ *load) error {
		return disturbed(ctx, k.wires[0], wireSilent)
	}},
	{"SIGSTOP an edge for 10 s", false, func(ctx context.Context, k *stack, _ *load) error {
		return paused(ctx, k.edges[2%len(k.edges)].process, 10*time.Second)
	}},
	{"SIGSTOP a fanout for 10 s: it wakes up believing it still owns", false, func(ctx context.Context, k *stack, _ *load) error {
		return paused(ctx, k.fanouts[0].process, 10*time.Second)
	}},
	{"every connection cut every 15 s for 2 minutes", false, func(ctx context.Context, _ *stack, l *load) error {
		return cuts(ctx, l, 8, 15*time.Second)
	}},
	{"every connection cut", true, func(ctx context.Context, _ *stack, l *load) error { return cuts(ctx, l, 1, time.Second) }},
	{"a fifth of the clients stops reading", false, stalls},
	{"bot killed, and repeating from its last event", true, func(ctx context.Context, _ *stack, l *load) error {
		for range 10 {
			l.bot.die(ctx)
			pause(ctx, 300*time.Millisecond)
		}
		return nil
	}},
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
		for _, m := range l.listeners {
			m.cut()
		}
		for _, s := range l.stock {
			s.cut()
		}
		pause(ctx, every)
	}
	return nil
}

// stalls lets every fifth client stop reading while some guilds' tracks are large, so that what
// waits for them passes every bound.
func stalls(ctx context.Context, _ *stack, l *load) error {
	loud := max(len(l.bot.guilds)/20, 1)
	for _, c := range l.bot.guilds[:loud] {
		c.padding.Store(100_000)
	}
	var resume []func()
	for _, m := range l.listeners {
		if m.small {
			resume = append(resume, m.stall())
		}
	}
	pause(ctx, 25*time.Second)
	for _, c := range l.bot.guilds[:loud] {
		c.padding.Store(0)
	}
	for _, r := range resume {
		r()
	}
	if len(resume) == 0 {
		return fmt.Errorf("nobody could be stopped from reading among %d clients", len(l.listeners))
	}
	return nil
}
