package adapter

import (
	"context"
	"sync"
	"sync/atomic"
	"time"
)

// Options tunes a [Node].
type Options struct {
	RequestTimeout time.Duration // for other nodes' answers; 0 means 5s
	Linger         time.Duration // a namespace or room is listened to after its last member; 0 means 30s
	MaxAsks        int           // other nodes' questions waiting for clients here; 0 means 1024, one more is dropped
}

// Node is this process in a cluster.
type Node struct {
	bus     Bus
	opts    Options
	ctx     context.Context // of questions under way; ends with the lock held
	cancel  context.CancelFunc
	running sync.WaitGroup
	asks    atomic.Int64

	complete, incomplete, unreachable, dropped, malformed atomic.Uint64

	mu       sync.Mutex
	clusters map[place]*Cluster
	most     int                   // clusters there have been since the map was made
	vacant   map[vacancy]time.Time // since when
}

// place tells the two ways apart in which a node can be in a namespace.
type place struct {
	namespace string
	visitor   bool
}

// NewNode joins the cluster of a bus. Close must follow.
func NewNode(bus Bus, opts Options) *Node {
	if opts.RequestTimeout <= 0 {
		opts.RequestTimeout = 5 * time.Second
	}
	if opts.Linger <= 0 {
		opts.Linger = 30 * time.Second
	}
	if opts.MaxAsks <= 0 {
		opts.MaxAsks = 1024
	}
	n := &Node{bus: bus, opts: opts, clusters: map[place]*Cluster{}, vacant: map[vacancy]time.Time{}}
	n.ctx, n.cancel = context.WithCancel(context.Background())
	n.running.Go(n.sweep)
	return n
}

// Join makes this node a member of a namespace, with local as its part of it. A namespace is joined once
// at a time: Cluster.Leave comes before the next Join.
func (n *Node) Join(namespace string, local Local) *Cluster {
	return n.enter(place{namespace, false}, local)
}

// Visit lets this node speak to the members of a namespace without being one. Cluster.Leave must follow;
// visits of the same namespace may overlap.
func (n *Node) Visit(namespace string) *Cluster {
	return n.enter(place{namespace, true}, nobody{})
}

func (n *Node) enter(p place, local Local) *Cluster {
	n.mu.Lock()
	defer n.mu.Unlock()
	c := n.clusters[p]
	if c == nil {
		c = newCluster(n, p)
		n.clusters[p] = c
		n.most = max(n.most, len(n.clusters))
	}
	c.users++
	delete(n.vacant, vacancy{cluster: c, whole: true})
	c.setLocal(local)
	return c
}

// start runs f, which Close waits for; after Close it does nothing.
func (n *Node) start(f func()) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.ctx.Err() == nil {
		n.running.Go(f)
	}
}

// Stats is what a node has counted since it was made.
type Stats struct {
	Complete    uint64 // requests that all other nodes answered
	Incomplete  uint64 // requests that ended before
	Unreachable uint64 // requests that could not be sent
	Dropped     uint64 // other nodes' questions that were over Options.MaxAsks
	Malformed   uint64 // other nodes' events that no client may be sent
}

// Stats counts.
func (n *Node) Stats() Stats {
	return Stats{n.complete.Load(), n.incomplete.Load(), n.unreachable.Load(), n.dropped.Load(), n.malformed.Load()}
}

// Close leaves every namespace at once. It waits for questions under way, which end.
func (n *Node) Close() {
	n.mu.Lock()
	n.cancel()
	n.mu.Unlock()
	n.running.Wait()
	n.mu.Lock()
	defer n.mu.Unlock()
	for p, c := range n.clusters {
		delete(n.clusters, p)
		c.close()
	}
}
