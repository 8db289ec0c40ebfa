// Package redisbus is a bus over Redis' Pub/Sub, in the words of npm @socket.io/redis-adapter 8: a Go server
// and a Node server with the same key form one cluster, and npm @socket.io/redis-emitter 5 reaches both.
//
//	Line.Publish ──▶ queue ──▶ pipeline ──▶ Redis ──▶ reader ──▶ queue of its namespace ──▶ Cluster
//
// Its truth is what those packages were seen to send and to take. Where they subscribe to a pattern for
// each namespace, this one subscribes to exact channels, and only to those of namespaces and rooms that
// have members here: Redis pays for every pattern on every message.
//
// Delivery is that of Redis: at most once, and what one node publishes in the order of its calls. In a Redis
// Cluster both hold for the links between its masters too: one that breaks, as when a machine stands still for
// longer than cluster-node-timeout, loses what is on it, and the classic wire has one for each pair of masters.
// So one node publishes by one master and listens at one, as long as they are there; after the loss of one, a
// message on its old way may still come after one on the new way. The sharded wire passes no link, and has an order
// for each channel. A master that dies takes along what it has been given and has not passed on: who waits for an answer to
// that waits until its own timeout. Nobody could tell it sooner, for Redis has taken the question, or the answer.
//
// While Redis is away nothing waits for it: what is published is
// refused, requests fail at once, and everything is subscribed to again when it is back.
package redisbus

import (
	"context"
	"fmt"
	"log/slog"
	"runtime"
	"sync"
	"sync/atomic"

	"github.com/redis/go-redis/v9"

	"github.com/pona-realtime/pona/pkg/adapter"
)

// Mode is the form of the wire; all nodes of a cluster use the same one.
type Mode string

const (
	// Classic is that of createAdapter: PUBLISH and SUBSCRIBE, which every node of a Redis Cluster hears.
	Classic Mode = "classic"
	// Sharded is that of createShardedAdapter with its default subscriptionMode "dynamic": SPUBLISH and
	// SSUBSCRIBE, which Redis has since version 7, with a channel for each room.
	Sharded Mode = "sharded"
	// ShardedStatic is Sharded without channels for rooms.
	ShardedStatic Mode = "sharded-static"
	// ShardedPrivate is Sharded with a channel for each socket too: subscriptionMode "dynamic-private".
	ShardedPrivate Mode = "sharded-dynamic-private"
)

// Options tunes a [Bus].
type Options struct {
	// Key is what every channel begins with; empty means "socket.io".
	Key string
	// Mode is the form of the wire; empty means Classic.
	Mode Mode
	// SpecificResponses answers on a channel of the asker's own (publishOnSpecificResponseChannel). It is
	// the way of the sharded modes anyway.
	SpecificResponses bool
	// Ignore are uids whose messages are dropped.
	Ignore []string
	// UID marks every message of a bus that only publishes; empty means one of chance for each namespace.
	UID string
	// MaxMessage bounds the bytes of one message; 0 means 16 MiB. What is over it is
	// refused: Redis cuts every subscriber for which it keeps more than its own bound, 32 MB by default.
	MaxMessage int64
	// MaxQueued bounds the bytes that wait to be published, and as many that wait to be handled; 0 means
	// 64 MiB. What is over it is refused, or dropped and counted.
	MaxQueued int64
	// Log hears when Redis goes and when it is back; nil means nobody does.
	Log *slog.Logger
}

// Bus connects one process. It is made with New.
type Bus struct {
	single  *redis.Client        // one of the two
	cluster *redis.ClusterClient // is nil
	opts    Options
	wire    wire
	master  atomic.Pointer[redis.Client] // of the cluster, the one that has this process's classic messages, until it fails

	publisher     *publisher
	subscriptions *subscriptions
	workers       []*worker
	waiting       atomic.Int64 // bytes in the queues of all workers
	counters      counters

	cancel  context.CancelFunc
	running sync.WaitGroup
}

// counters count since the start.
type counters struct {
	published, refused, received, malformed, overflowed, lost, resubscribed atomic.Uint64
}

// Stats is what has been counted since the start.
type Stats struct {
	Channels     int    // subscribed to, or about to be
	Reachable    bool   // Redis answered when it was last asked
	Published    uint64 // messages that Redis took
	Refused      uint64 // messages that it did not take, or that were over a bound
	Received     uint64 // messages that came
	Malformed    uint64 // of them, those that were no message of an adapter
	Overflowed   uint64 // of them, those that were over the bound
	Lost         uint64 // connections of subscriptions that broke
	Resubscribed uint64 // channels that were subscribed to once more
}

// New starts a bus on a client, which stays the caller's: a [redis.Client], also one behind Sentinel, or a
// [redis.ClusterClient]. The client should not retry (MaxRetries: -1), for a message retried may be
// published twice, and should heed deadlines (ContextTimeoutEnabled), or a Redis that hangs holds up requests beyond
// theirs. Nothing is dialled yet. Close must follow.
func New(client redis.UniversalClient, opts Options) (*Bus, error) {
	b := &Bus{}
	switch client := client.(type) {
	case *redis.Client:
		b.single = client
	case *redis.ClusterClient:
		b.cluster = client
	default:
		return nil, fmt.Errorf("redisbus: a %T cannot be used", client)
	}
	if opts.Key == "" {
		opts.Key = "socket.io"
	}
	if opts.MaxQueued <= 0 {
		opts.MaxQueued = 64 << 20
	}
	if opts.MaxMessage <= 0 {
		opts.MaxMessage = 16 << 20
	}
	if opts.Log == nil {
		opts.Log = slog.New(slog.DiscardHandler)
	}
	b.opts = opts
	switch opts.Mode {
	case "", Classic:
		b.wire = classic{opts.Key, opts.SpecificResponses}
	case Sharded, ShardedStatic, ShardedPrivate:
		b.wire = sharded{opts.Key, opts.Mode != ShardedStatic, opts.Mode == ShardedPrivate}
	default:
		return nil, fmt.Errorf("redisbus: mode %q, must be %s, %s, %s or %s", opts.Mode, Classic, Sharded, ShardedStatic, ShardedPrivate)
	}
	ctx, cancel := context.WithCancel(context.Background())
	b.cancel = cancel
	b.publisher = newPublisher(b)
	b.subscriptions = newSubscriptions(b)
	for range runtime.GOMAXPROCS(0) {
		b.workers = append(b.workers, newWorker(b))
	}
	b.running.Go(func() { b.publisher.run(ctx) })
	b.running.Go(func() { b.subscriptions.keep(ctx) })
	b.running.Go(func() { b.subscriptions.ping(ctx) })
	for _, w := range b.workers {
		b.running.Go(func() { w.run(ctx) })
	}
	return b, nil
}

// AsksRooms tells that the classic wire has a request for rooms.
func (b *Bus) AsksRooms() bool { return b.wire.asksRooms() }

// NewID makes a request's id.
func (b *Bus) NewID() string { return b.wire.newID() }

// Connect opens a namespace.
func (b *Bus) Connect(namespace string, visitor bool, deliver func(*adapter.Message)) adapter.Line {
	l := &line{bus: b, namespace: namespace, visitor: visitor, uid: b.wire.newID(), deliver: deliver, worker: b.workerOf(namespace)}
	if b.opts.UID != "" {
		l.uid = b.opts.UID
	}
	if !visitor {
		b.subscriptions.want(l, b.wire.memberChannels(namespace)...)
	}
	return l
}

// Synced waits until Redis has confirmed every subscription that was wanted when it was called.
func (b *Bus) Synced(ctx context.Context) error {
	return b.subscriptions.await(ctx, b.subscriptions.names()...)
}

// Stats counts.
func (b *Bus) Stats() Stats {
	c := &b.counters
	channels, lost := b.subscriptions.state()
	return Stats{Channels: channels, Reachable: lost == nil, Published: c.published.Load(), Refused: c.refused.Load(),
		Received: c.received.Load(), Malformed: c.malformed.Load(), Overflowed: c.overflowed.Load(),
		Lost: c.lost.Load(), Resubscribed: c.resubscribed.Load()}
}

// Close ends every subscription and waits for everything the bus has started. What waits to be published
// is dropped; the lines have been closed before.
func (b *Bus) Close() {
	b.cancel()
	b.running.Wait()
}

// unreachable makes an error of Redis one of the adapter's.
func unreachable(err error) error {
	return fmt.Errorf("%w: %w", adapter.ErrUnreachable, err)
}
