package main

import (
	"fmt"
	"strings"
	"time"
)

// scenario is one kind of measurement.
type scenario struct {
	name    string
	measure func(*peer, *outcome) error
}

func scenarios(o options) []scenario {
	return []scenario{
		{"broadcast", func(p *peer, got *outcome) error { return broadcast(o, p, got) }},
		{"idle", func(p *peer, got *outcome) error { return idle(o, p, got) }},
	}
}

const (
	firstGuild = 100_000 // small enough for JavaScript's numbers
	joinLimit  = 60 * time.Second
)

// broadcast emits to one room that every socket is in.
func broadcast(o options, p *peer, got *outcome) error {
	c, err := newCrowd(p.clients, firstGuild, 1)
	if err != nil {
		return err
	}
	defer c.close()
	if err := c.grow(o.Sockets, joinLimit); err != nil {
		return err
	}
	pl := plan{
		Event: "bench", Room: "pona! music", First: firstGuild, Guilds: 1, Rate: o.Rate, Burst: 1,
		Bodies: []string{strings.Repeat("pona ", o.Size/5+1)[:o.Size-stampSize]},
	}
	pl.Run, pl.Count = 1, o.Events/2
	if err := c.emission(p, pl); err != nil {
		return fmt.Errorf("warm-up: %w", err)
	}
	if err := c.rest(500 * time.Millisecond); err != nil {
		return err
	}

	before, err := p.usage()
	if err != nil {
		return err
	}
	pl.Run, pl.Count = 2, o.Events
	if err := c.emission(p, pl); err != nil {
		return err
	}
	if err := c.rest(300 * time.Millisecond); err != nil { // what follows a delivery belongs to it
		return err
	}
	after, err := p.usage()
	if err != nil {
		return err
	}
	got.deliveries(p, o.Sockets*o.Events, &c.tally, before, after)
	return nil
}

// emission has the peer emit a plan and reads until every member has all of it, or nothing has come
// for three seconds after the last emit.
func (c *crowd) emission(p *peer, pl plan) error {
	expected := pl.Count * c.joined
	c.begin(pl.Run, expected)
	emitted := make(chan error, 1)
	go func() { emitted <- p.emit(pl) }()

	var failure error
	running, seen, progress := true, -1, time.Now()
	err := c.drive(pl.due(pl.Count)+time.Minute, func() bool {
		if running {
			select {
			case failure = <-emitted:
				running = false
			default:
			}
		}
		if c.tally.delivered != seen {
			seen, progress = c.tally.delivered, time.Now()
		}
		return !running && (failure != nil || seen >= expected || time.Since(progress) > 3*time.Second)
	})
	if failure != nil {
		return fmt.Errorf("emit: %w", failure)
	}
	return err
}

// idle holds connections that have joined and are sent nothing.
func idle(o options, p *peer, got *outcome) error {
	if err := warmUp(p, 200); err != nil {
		return fmt.Errorf("warm-up: %w", err)
	}
	c, err := newCrowd(p.clients, firstGuild, max(o.Idle/5, 1))
	if err != nil {
		return err
	}
	defer c.close()
	empty, err := settle(c, p)
	if err != nil {
		return err
	}
	if err := c.grow(o.Idle, joinLimit); err != nil {
		return err
	}
	if err := c.rest(5 * time.Second); err != nil {
		return err
	}
	rested, err := p.usage()
	if err != nil {
		return err
	}
	full, err := settle(c, p)
	if err != nil {
		return err
	}
	got.memory(p, o.Idle, empty, rested, full)
	return nil
}

// warmUp has some connections come and go, so that what a peer keeps after its first ones is not
// counted as theirs.
func warmUp(p *peer, n int) error {
	c, err := newCrowd(p.clients, firstGuild, n)
	if err != nil {
		return err
	}
	defer c.close()
	return c.grow(n, joinLimit)
}

// settle measures after two collections.
func settle(c *crowd, p *peer) (usage, error) {
	for range 2 {
		if err := c.rest(700 * time.Millisecond); err != nil {
			return usage{}, err
		}
		if err := p.collect(); err != nil {
			return usage{}, fmt.Errorf("collect garbage: %w", err)
		}
	}
	return p.usage()
}
