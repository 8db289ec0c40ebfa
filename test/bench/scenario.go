package main

import (
	"fmt"
	"strings"
	"time"

	"github.com/pona-realtime/pona/test/load/stamp"
)

// scenario is one kind of measurement.
type scenario struct {
	name    string
	title   string
	measure func(*peer, *outcome) error
}

const (
	idleName   = "idle"
	guildsName = "guilds"
)

// of says whether a kind of peer takes part: what a second server costs shows where guilds are small.
func (s scenario) of(kind string) bool { return s.name == guildsName || !strings.HasSuffix(kind, "-2") }

func scenarios(o options) []scenario {
	room := delivery{guilds: 1, sockets: o.Sockets, events: o.Events, rate: o.Rate, burst: 1}
	burst := room
	burst.burst = 4
	guilds := delivery{guilds: o.Guilds, sockets: 4 * o.Guilds, events: 4 * o.Guilds, rate: o.GuildRate, burst: 1, spin: true}
	return []scenario{
		{"broadcast", fmt.Sprintf("%d sockets in one room, %d events of %d bytes at %g/s", room.sockets, room.events, o.Size, room.rate),
			func(p *peer, got *outcome) error { return room.measure(o, p, got) }},
		{"burst", fmt.Sprintf("the same, but %d events at a time", burst.burst),
			func(p *peer, got *outcome) error { return burst.measure(o, p, got) }},
		{guildsName, fmt.Sprintf("%d guilds of 4 sockets, %d events of %d bytes at %g/s round-robin", guilds.guilds, guilds.events, o.Size, guilds.rate),
			func(p *peer, got *outcome) error { return guilds.measure(o, p, got) }},
		{idleName, fmt.Sprintf("%d idle connections in %d guilds, resident memory", o.Idle, max(o.Idle/5, 1)),
			func(p *peer, got *outcome) error { return idle(o, p, got) }},
	}
}

const (
	firstGuild = 100_000 // small enough for JavaScript's numbers
	joinLimit  = 60 * time.Second
)

// delivery measures events that are emitted to guilds in turn, each to all sockets of one.
type delivery struct {
	guilds, sockets, events int
	rate                    float64 // events a second
	burst                   int     // events at a time
	spin                    bool    // the clients never sleep: no write of the server pays for waking them
}

func (d delivery) measure(o options, p *peer, got *outcome) error {
	c, err := newCrowd(p.clients, firstGuild, d.guilds)
	if err != nil {
		return err
	}
	defer c.close()
	if err := c.grow(d.sockets, joinLimit); err != nil {
		return err
	}
	pl := plan{
		Event: "bench", Room: "pona! music", First: firstGuild, Guilds: d.guilds, Rate: d.rate, Burst: d.burst,
		Bodies: []string{strings.Repeat("pona ", o.Size/5+1)[:o.Size-stamp.Size]},
	}
	pl.Run, pl.Count = 1, max(d.events/2/d.guilds, 1)*d.guilds
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
	pl.Run, pl.Count = 2, d.events
	c.spin = d.spin
	if err := c.emission(p, pl); err != nil {
		return err
	}
	c.spin = false
	if err := c.rest(300 * time.Millisecond); err != nil { // what follows a delivery belongs to it
		return err
	}
	after, err := p.usage()
	if err != nil {
		return err
	}
	got.deliveries(p, d.sockets*d.events/d.guilds, &c.tally, before, after)
	return nil
}

// emission has the peer emit a plan and reads until every member has all of its guild, or nothing has come
// for three seconds after the last emit.
func (c *crowd) emission(p *peer, pl plan) error {
	expected := pl.Count * c.joined / pl.Guilds
	c.begin(pl.Run, expected)
	c.questions.closed, c.questions.due = false, 0
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
		c.questions.closed = !running
		return !running && (failure != nil || seen >= expected && c.questions.open == 0 || time.Since(progress) > 3*time.Second)
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
