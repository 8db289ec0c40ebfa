package main

import (
	"context"
	"net/http"
	"sync/atomic"
	"time"
)

// balancer knows which edges are ready, as a balancer does that asks them, and knows no affinity.
type balancer struct {
	edges   []server
	changed func(ready []string) // called by run with base URLs; may be nil

	healthy atomic.Pointer[[]string] // base URLs
	turn    atomic.Uint64
}

// server is where a service of ours listens. It is sent to the processes of the crowd.
type server struct {
	Address string // host:port it serves
	Admin   string // host:port
}

func (s server) url() string { return "http://" + s.Address }

// run asks each edge four times a second whether it is ready, until ctx ends.
func (b *balancer) run(ctx context.Context) {
	tick := time.NewTicker(250 * time.Millisecond)
	defer tick.Stop()
	for ctx.Err() == nil {
		b.probe(ctx)
		select {
		case <-tick.C:
		case <-ctx.Done():
		}
	}
}

// probe finds the edges that are ready. When none is, requests go on to whichever was.
func (b *balancer) probe(ctx context.Context) {
	var ready []string
	for _, e := range b.edges {
		if e.ready(ctx) {
			ready = append(ready, e.url())
		}
	}
	if len(ready) == 0 {
		return
	}
	b.healthy.Store(&ready)
	if b.changed != nil {
		b.changed(ready)
	}
}

// target is the base URL of the next edge that is ready; before any was, of the next of all.
func (b *balancer) target() string {
	turn := b.turn.Add(1) - 1
	if ready := b.healthy.Load(); ready != nil {
		return (*ready)[turn%uint64(len(*ready))]
	}
	return b.edges[turn%uint64(len(b.edges))].url()
}

// ready asks a service's readiness.
func (s server) ready(ctx context.Context) bool {
	ctx, cancel := context.WithTimeout(ctx, 500*time.Millisecond)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+s.Admin+"/readyz", nil)
	if err != nil {
		return false
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return false
	}
	_ = response.Body.Close()
	return response.StatusCode == http.StatusOK
}
