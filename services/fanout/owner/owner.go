// Package owner decides which fanout has which partition, folds the events of the ones it has into
// the guilds' states, and hands the events to the edges that listen.
//
//	presence + leases (KV) ──▶ campaign ──▶ takeover ──▶ partition ──▶ edges
//	                                          ▲  │
//	                              checkpoints (KV)◀──┘
//
// A partition has one owner at a time: the fanout that holds its lease, a key with a TTL. The key's
// revision at its creation is the lease's epoch. Who should ask for which lease, rendezvous hashing
// over the live fanouts says. A lease that could not be renewed for its TTL is worth nothing, and
// its holder finds that out by its own clock before it delivers anything.
//
// Everything may be called by any goroutine. Background trouble is logged, one line per happening.
package owner

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go/jetstream"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/pona-realtime/pona/pkg/player"
	"github.com/pona-realtime/pona/pkg/tracing"
	edgev1 "github.com/pona-realtime/pona/proto/pona/edge/v1"
	playerv1 "github.com/pona-realtime/pona/proto/pona/player/v1"
	"github.com/pona-realtime/pona/services/fanout/route"
	"github.com/pona-realtime/pona/services/fanout/stream"
)

// Options tune an Owner; what stands with a field holds for its zero value.
type Options struct {
	ID                 string        // names this fanout; required, unique in the cluster, of the characters of a KV key
	LeaseTTL           time.Duration // 0 means 3s: how long a crashed owner's partitions stand still
	CheckpointInterval time.Duration // 0 means 15s
	StateTTL           time.Duration // 0 means 7 days: the state of a guild without events for so long is forgotten
	EndedStateTTL      time.Duration // 0 means StateTTL: the same for a guild without a player
	MaxReplayBytes     int           // 0 means 16 MiB: an edge that missed more of a guild gets a snapshot instead
	Replicas           int           // of the two buckets; 0 means 1

	// Mirror is told of each event and position that is delivered, in order within a guild; nil means
	// nobody is. It must not wait. After a takeover it may hear those of the last seconds again.
	Mirror  func(guildID uint64, ev *playerv1.Event)
	Metrics prometheus.Registerer // nil means none
	Tracer  *tracing.Tracer       // nil means none
}

func (o Options) withDefaults() Options {
	if o.LeaseTTL == 0 {
		o.LeaseTTL = 3 * time.Second
	}
	if o.CheckpointInterval == 0 {
		o.CheckpointInterval = 15 * time.Second
	}
	if o.StateTTL == 0 {
		o.StateTTL = 7 * 24 * time.Hour
	}
	if o.MaxReplayBytes == 0 {
		o.MaxReplayBytes = 16 << 20
	}
	if o.Replicas == 0 {
		o.Replicas = 1
	}
	return o
}

// Owner owns partitions while it runs. Until Start it owns none, and edges may attach already.
type Owner struct {
	options Options
	count   uint32 // partitions
	log     *slog.Logger

	members  *members
	measured *measured
	ages     *ages
	tasks    sync.WaitGroup // takeovers and hand-overs

	// Set by Start, used by what Run starts.
	leases      jetstream.KeyValue
	publisher   jetstream.Publisher // renews them
	checkpoints *checkpoints

	events atomic.Pointer[stream.Stream] // set by Start

	mu    sync.Mutex
	held  map[uint32]*tenure
	edges map[*route.Edge]struct{}
}

// New makes an owner of none of so many partitions.
func New(partitions uint32, o Options, log *slog.Logger) *Owner {
	o = o.withDefaults()
	owner := &Owner{
		options: o, count: partitions, log: log, members: newMembers(o.ID, o.LeaseTTL), ages: new(ages),
		held: make(map[uint32]*tenure), edges: make(map[*route.Edge]struct{}),
	}
	owner.measured = owner.measure(o.Metrics)
	return owner
}

// Start makes or checks the buckets. Run must follow.
func (o *Owner) Start(ctx context.Context, js jetstream.JetStream, events *stream.Stream) (err error) {
	if events.Partitions() != o.count {
		return fmt.Errorf("%d partitions are stored and %d asked for", events.Partitions(), o.count)
	}
	if o.leases, err = openBucket(ctx, js, leaseBucket, o.options.LeaseTTL, o.options.Replicas); err != nil {
		return err
	}
	if o.publisher, err = jetstream.New(js.Conn(), jetstream.WithPublishAsyncTimeout(o.options.LeaseTTL/3)); err != nil {
		return err
	}
	states, err := openBucket(ctx, js, stateBucket, o.options.StateTTL, o.options.Replicas)
	if err != nil {
		return err
	}
	large, err := openLarge(ctx, js, o.options.StateTTL, o.options.Replicas)
	if err != nil {
		return err
	}
	o.checkpoints = &checkpoints{
		js: js, bucket: states, large: large, log: o.log, oversize: o.measured.oversize, endedTTL: o.options.EndedStateTTL,
	}
	o.events.Store(events)
	return nil
}

// Peers are the ids of the fanouts that live, without this one. There are none before Run.
func (o *Owner) Peers() []string { return o.members.peers() }

// Attach announces to the edge what is owned and will be.
func (o *Owner) Attach(e *route.Edge) {
	o.mu.Lock()
	defer o.mu.Unlock()
	owned := &edgev1.Owned{PartitionCount: o.count}
	for _, t := range o.held {
		if t.announced {
			owned.Partitions = append(owned.Partitions, t.lease.announcement())
		}
	}
	o.edges[e] = struct{}{}
	e.Owned(owned)
}

// Detach ends what Attach began. The edge must have unsubscribed.
func (o *Owner) Detach(e *route.Edge) {
	o.mu.Lock()
	defer o.mu.Unlock()
	delete(o.edges, e)
}

// Prepare reads what Subscribe to the guild will need, if it is owned.
func (o *Owner) Prepare(guildID uint64) {
	if p := o.partitionOf(guildID); p != nil {
		p.prepare(guildID)
	}
}

// Subscribe gives the edge a snapshot of the guild, or with after the events that it has not seen,
// and from then on each event. Where the guild's partition is not owned, nothing happens: the edge
// has been told, or will be at once.
func (o *Owner) Subscribe(e *route.Edge, guildID uint64, after *uint64) {
	if p := o.partitionOf(guildID); p != nil {
		p.subscribe(e, guildID, after)
	}
}

// Unsubscribe ends what Subscribe began.
func (o *Owner) Unsubscribe(e *route.Edge, guildID uint64) {
	if p := o.partitionOf(guildID); p != nil {
		p.unsubscribe(e, guildID)
	}
}

// partitionOf is the guild's partition if it is owned and announced.
func (o *Owner) partitionOf(guildID uint64) *partition {
	o.mu.Lock()
	defer o.mu.Unlock()
	t := o.held[player.Partition(guildID, o.count)]
	if t == nil || !t.announced {
		return nil
	}
	return t.partition
}

// announce tells all edges that the tenure's partition is delivered from now on, unless it has
// ended already.
func (o *Owner) announce(t *tenure) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.held[t.lease.partition] != t {
		return
	}
	t.announced = true
	for e := range o.edges {
		e.Owned(&edgev1.Owned{PartitionCount: o.count, Partitions: []*edgev1.Partition{t.lease.announcement()}})
	}
}

// withdraw tells all edges that nothing of the partition follows. Nothing does, for it is closed.
func (o *Owner) withdraw(t *tenure) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.held[t.lease.partition] == t {
		delete(o.held, t.lease.partition)
	}
	if !t.announced {
		return
	}
	t.announced = false
	for e := range o.edges {
		e.Released(t.lease.partition)
	}
}

// openBucket makes or adapts a KV bucket. It is made as a stream, because a bucket made by the KV
// API answers reads from any replica, and one that lags would hand out an old checkpoint.
func openBucket(ctx context.Context, js jetstream.JetStream, name string, ttl time.Duration, replicas int) (jetstream.KeyValue, error) {
	_, err := js.CreateOrUpdateStream(ctx, jetstream.StreamConfig{
		Name:              "KV_" + name,
		Subjects:          []string{"$KV." + name + ".>"},
		MaxMsgsPerSubject: 1,
		MaxAge:            ttl,
		Duplicates:        min(ttl, 2*time.Minute),
		Storage:           jetstream.FileStorage, // revisions go on after a restart: they are epochs
		Replicas:          replicas,
		Discard:           jetstream.DiscardNew,
		AllowRollup:       true,
		DenyDelete:        true,
		Compression:       jetstream.S2Compression,
		AllowDirect:       false,
		AllowMsgTTL:       true,
	})
	if err != nil {
		return nil, fmt.Errorf("bucket %s: %w", name, err)
	}
	bucket, err := js.KeyValue(ctx, name)
	if err != nil {
		return nil, fmt.Errorf("bucket %s: %w", name, err)
	}
	return bucket, nil
}

// gone says whether err means that a key is not there.
func gone(err error) bool {
	return errors.Is(err, jetstream.ErrKeyNotFound) || errors.Is(err, jetstream.ErrKeyDeleted)
}
