package owner

import (
	"context"
	"strconv"
	"sync"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	edgev1 "github.com/pona-realtime/pona/proto/pona/edge/v1"
)

// leaseBucket holds partition.<number> for each leased partition, and fanout.<id> for each live
// fanout. The values are the fanout's id; the bucket's TTL ends them.
const leaseBucket = "FANOUT_LEASES"

// lease is the right to deliver one partition.
type lease struct {
	bucket    jetstream.KeyValue
	partition uint32
	holder    string
	ttl       time.Duration
	epoch     uint64 // revision of its creation

	asking sync.Mutex // held while the bucket is asked; taken before mu

	mu       sync.Mutex // never held while waiting: each event asks whether the lease is valid
	revision uint64     // of the last renewal
	until    time.Time  // by this process's monotonic clock
	given    bool       // given back or found lost
}

// acquire creates the lease. The error wraps jetstream.ErrKeyExists when another holds it.
func acquire(ctx context.Context, bucket jetstream.KeyValue, partition uint32, holder string, ttl time.Duration) (*lease, error) {
	asked := time.Now()
	revision, err := bucket.Create(ctx, leaseKey(partition), []byte(holder))
	if err != nil {
		return nil, err
	}
	return &lease{
		bucket: bucket, partition: partition, holder: holder, ttl: ttl,
		epoch: revision, revision: revision, until: asked.Add(ttl),
	}, nil
}

// ask asks for another TTL and does not wait for the answer, which must be heard: until then nobody else asks.
// It is nil where nothing is to be heard: the lease is not ours any more, or is being given back.
func (l *lease) ask(publisher jetstream.Publisher) (*renewal, error) {
	if !l.asking.TryLock() {
		return nil, nil
	}
	last, given := l.last()
	if given {
		l.asking.Unlock()
		return nil, nil
	}
	asked := time.Now() // the server counts from later on, so until is never too late
	answer, err := publish(publisher, leaseKey(l.partition), l.holder, jetstream.WithExpectLastSequencePerSubject(last))
	if err != nil {
		l.asking.Unlock()
		return nil, err
	}
	return &renewal{lease: l, asked: asked, answer: answer}, nil
}

// renewal is a lease on its way to another TTL.
type renewal struct {
	lease  *lease
	asked  time.Time
	answer jetstream.PubAckFuture
}

// again asks once more, after an answer that says that the key has another revision than was known: it may be
// that of a renewal of ours whose answer was lost.
func (r *renewal) again(ctx context.Context, refused error) error {
	unheard := r.lease.unheard(ctx)
	if unheard == 0 {
		return r.hear(0, refused)
	}
	r.asked = time.Now()
	return r.hear(r.lease.bucket.Update(ctx, leaseKey(r.lease.partition), []byte(r.lease.holder), unheard))
}

// hear takes the answer. After an error the lease lives on until its time is over, except when the bucket says
// that it is another's, or nobody's.
func (r *renewal) hear(revision uint64, err error) error {
	l := r.lease
	defer l.asking.Unlock()
	l.mu.Lock()
	defer l.mu.Unlock()
	if err == nil {
		l.revision, l.until = revision, r.asked.Add(l.ttl)
		return nil
	}
	if lost(err) {
		l.given = true
	}
	return err
}

// publish writes a key of the lease bucket as the KV API does, but does not wait for the answer.
func publish(publisher jetstream.Publisher, key, holder string, options ...jetstream.PublishOpt) (jetstream.PubAckFuture, error) {
	return publisher.PublishAsync("$KV."+leaseBucket+"."+key, []byte(holder), options...)
}

// await waits for the revision of what was published.
func await(ctx context.Context, answer jetstream.PubAckFuture) (revision uint64, err error) {
	select {
	case ack := <-answer.Ok():
		return ack.Sequence, nil
	case err := <-answer.Err():
		return 0, err
	case <-ctx.Done():
		return 0, ctx.Err()
	}
}

// unheard is the key's revision where it was a renewal of ours, whose answer was lost, that has changed it;
// else 0. As long as the lease was valid when this is found, nobody else can have had it in between.
func (l *lease) unheard(ctx context.Context) (revision uint64) {
	entry, err := l.bucket.Get(ctx, leaseKey(l.partition))
	if err != nil || string(entry.Value()) != l.holder || !l.valid() {
		return 0
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.revision = entry.Revision()
	return l.revision
}

// valid says whether nobody else can have the lease now.
func (l *lease) valid() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return !l.given && time.Now().Before(l.until)
}

// giveBack ends the lease, so that another fanout can have it at once.
func (l *lease) giveBack(ctx context.Context) error {
	l.asking.Lock()
	defer l.asking.Unlock()
	last, given := l.last()
	if given {
		return nil
	}
	l.mu.Lock()
	l.given = true
	l.mu.Unlock()
	return l.bucket.Delete(ctx, leaseKey(l.partition), jetstream.LastRevision(last))
}

// last is the revision of the last renewal, and whether the lease is no longer ours for certain.
func (l *lease) last() (revision uint64, given bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.revision, l.given
}

func (l *lease) announcement() *edgev1.Partition {
	return &edgev1.Partition{Number: l.partition, Epoch: l.epoch}
}

func leaseKey(partition uint32) string {
	return "partition." + strconv.FormatUint(uint64(partition), 10)
}
