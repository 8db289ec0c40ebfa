package redisbus

import (
	"context"
	"crypto/rand"
	"errors"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/redis/go-redis/v9"
	"golang.org/x/sync/errgroup"
)

// servers counts the nodes that listen to a channel, over all nodes of a Redis Cluster.
func (b *Bus) servers(ctx context.Context, channel string) (int, error) {
	count := func(ctx context.Context, c *redis.Client) (int64, error) {
		answer, err := b.wire.numSub(ctx, c, channel).Result()
		return answer[channel], err
	}
	if b.cluster == nil {
		n, err := count(ctx, b.single)
		return int(n), err
	}
	masters, err := b.nodes(ctx, b.cluster.ForEachMaster)
	if err != nil {
		return 0, err
	}
	replicas, err := b.nodes(ctx, b.cluster.ForEachSlave)
	if err != nil {
		return 0, err
	}
	var total atomic.Int64
	var counting errgroup.Group
	for _, master := range masters {
		counting.Go(func() error {
			ctx, cancel := context.WithTimeout(ctx, pulse)
			defer cancel()
			n, err := count(ctx, master)
			total.Add(n)
			return err
		})
	}
	for _, replica := range replicas { // few listen there: who was connected to a master that has just stepped down
		if slices.Contains(masters, replica) {
			continue // has just become one, and who told of replicas did not know
		}
		counting.Go(func() error {
			ctx, cancel := context.WithTimeout(ctx, hangTime)
			defer cancel()
			n, _ := count(ctx, replica) // one that hangs must not fail requests
			total.Add(n)
			return nil
		})
	}
	err = counting.Wait()
	return int(total.Load()), err
}

const (
	// hangTime is what a node has to say which others there are, before go-redis goes by what it knows already, and what
	// replicas have to say who listens to them.
	hangTime = 500 * time.Millisecond
	// hedge is after how much of it another node is asked too, up to askers of them.
	hedge  = 50 * time.Millisecond
	askers = 4
)

// nodes learns which masters or replicas a Redis Cluster has now, by go-redis' ForEachMaster or ForEachSlave: they ask a node by
// chance, and wait for one that hangs.
func (b *Bus) nodes(ctx context.Context, each func(context.Context, func(context.Context, *redis.Client) error) error) ([]*redis.Client, error) {
	type answer struct {
		nodes []*redis.Client
		err   error
	}
	ctx, cancel := context.WithTimeout(ctx, hangTime)
	defer cancel()
	first := make(chan answer, askers)
	var asking sync.WaitGroup
	defer asking.Wait()
	for range askers {
		asking.Go(func() {
			var mu sync.Mutex
			var a answer
			a.err = each(ctx, func(_ context.Context, node *redis.Client) error {
				mu.Lock()
				defer mu.Unlock()
				a.nodes = append(a.nodes, node)
				return nil
			})
			first <- a
		})
		select {
		case a := <-first:
			return a.nodes, a.err
		case <-time.After(hedge):
		}
	}
	a := <-first
	return a.nodes, a.err
}

// reload learns where masters and slots of a Redis Cluster are. go-redis' own ReloadState has no deadline.
func (b *Bus) reload(ctx context.Context) {
	if b.cluster != nil {
		_, _ = b.nodes(ctx, b.cluster.ForEachMaster) // otherwise it goes by what it knows
	}
}

// home is the master of a Redis Cluster by which this process publishes classic messages and hears them, which every node
// passes on: one of chance until it fails, for they are in order on one way only, whatever their channels.
func (b *Bus) home(ctx context.Context) (*redis.Client, error) {
	if master := b.master.Load(); master != nil {
		return master, nil
	}
	master, err := b.cluster.MasterForKey(ctx, rand.Text())
	if err != nil || b.master.CompareAndSwap(nil, master) {
		return master, err
	}
	return b.home(ctx) // another has been faster
}

var errSteppedDown = errors.New("redisbus: the master has become a replica")

// steppedDown tells that a home is a master no more. It would go on passing messages, but npm's adapter counts who listens at masters.
func (b *Bus) steppedDown(ctx context.Context, home *redis.Client) bool {
	if b.cluster == nil || b.wire.sharded() {
		return false
	}
	masters, err := b.nodes(ctx, b.cluster.ForEachMaster)
	return err == nil && !slices.ContainsFunc(masters, func(m *redis.Client) bool { return m.Options().Addr == home.Options().Addr })
}

// publishBy is who publishes. Sharded messages have their places, and an order within each.
func (b *Bus) publishBy(ctx context.Context) (redis.UniversalClient, error) {
	switch {
	case b.cluster == nil:
		return b.single, nil
	case b.wire.sharded():
		return b.cluster, nil
	}
	return b.home(ctx)
}

// subscribeAt is where a channel is to be subscribed to. In a Redis Cluster a sharded one has its place.
func (b *Bus) subscribeAt(ctx context.Context, channel string) (*redis.Client, error) {
	switch {
	case b.cluster == nil:
		return b.single, nil
	case b.wire.sharded():
		return b.cluster.MasterForKey(ctx, channel)
	}
	return b.home(ctx)
}
