package main

import (
	"context"
	"fmt"
	"io"
	"net/rpc"
	"os"
	"sync"
	"time"
)

// crowdVariable is set in the environment of a process that is a Crowd and nothing else.
const crowdVariable = "PONA_CHAOS_CROWD"

// isCrowd says whether this process was started to be a crowd; it then serves its parent with
// serveCrowd. Listeners are in processes of their own because one process may not open enough files.
func isCrowd() bool { return os.Getenv(crowdVariable) != "" }

// serveCrowd is steered over stdin and stdout until stdin ends.
func serveCrowd() {
	ctx, cancel := context.WithCancel(context.Background())
	c := &Crowd{ctx: ctx}
	s := rpc.NewServer()
	_ = s.Register(c) // its methods have the form, as every run shows
	s.ServeConn(duplex{os.Stdin, os.Stdout})
	cancel()
	c.group.Wait()
}

// duplex is a connection of two pipes.
type duplex struct {
	io.Reader
	io.WriteCloser
}

// Crowd is the listeners of one process. Its methods are called over net/rpc by the parent, each with an
// argument that may say nothing.
type Crowd struct {
	ctx       context.Context
	group     sync.WaitGroup
	listeners []*listener
	resume    []func()
}

// CrowdPlan says who the listeners of one process are.
type CrowdPlan struct {
	Edges   []server
	First   int     // number of the first listener; the others follow
	Clients int     // how many
	Guilds  int     // that they spread over
	Polls   int     // every which of them polls; 0: none
	Rate    float64 // connections begun in a second

	Stay time.Duration // how long they stay, and stay away, on average; 0: for ever
}

// Join starts all listeners, at their pace.
func (c *Crowd) Join(p CrowdPlan, _ *int) error {
	b := &balancer{edges: p.Edges}
	b.probe(c.ctx)
	c.group.Go(func() { b.run(c.ctx) })
	for i := range p.Clients {
		n := p.First + i
		l := &listener{verifier: &verifier{name: fmt.Sprint("listener ", n), guild: firstGuild + uint64(n%p.Guilds)}, number: n, target: b.target,
			polls: p.Polls > 0 && n%p.Polls == p.Polls-1, small: n%5 == 0}
		c.listeners = append(c.listeners, l)
		c.group.Go(func() {
			select {
			case <-time.After(time.Duration(float64(i) / p.Rate * float64(time.Second))):
				if p.Stay > 0 {
					l.visit(c.ctx, p.Stay, p.Clients)
				} else {
					l.run(c.ctx)
				}
			case <-c.ctx.Done():
			}
		})
	}
	return nil
}

// Missing counts the listeners that do not have their guild's number.
func (c *Crowd) Missing(goals map[uint64]int, missing *int) error {
	for _, l := range c.listeners {
		if !l.has(goals[l.guild]) {
			*missing++
		}
	}
	return nil
}

// Take sums up what all listeners saw since the last call.
func (c *Crowd) Take(_ int, sum *Tally) error {
	for _, l := range c.listeners {
		sum.add(l.verifier.take())
	}
	return nil
}

// Cut ends every connection as a change of networks does.
func (c *Crowd) Cut(int, *int) error {
	for _, l := range c.listeners {
		l.cut()
	}
	return nil
}

// Stall lets every fifth listener stop reading, and counts them.
func (c *Crowd) Stall(_ int, stalled *int) error {
	for _, l := range c.listeners {
		if l.small {
			c.resume = append(c.resume, l.stall())
		}
	}
	*stalled = len(c.resume)
	return nil
}

// Resume lets all read again.
func (c *Crowd) Resume(int, *int) error {
	for _, resume := range c.resume {
		resume()
	}
	c.resume = nil
	return nil
}
