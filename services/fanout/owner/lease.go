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

	mu       sync.Mutex
	revision uint64    // of the last renewal
	until    time.Time // by this process's monotonic clock
	given    bool      // given back or found lost
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

// renew asks for another TTL. After an error the lease lives on until its time is over, except
// when the bucket says that it is another's, or nobody's.
func (l *lease) renew(ctx context.Context) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.given {
		return nil
	}
	asked := time.Now() // the server counts from later on, so until is never too late
	revision, err := l.bucket.Update(ctx, leaseKey(l.partition), []byte(l.holder), l.revision)
	if lost(err) && l.unheard(ctx) {
		revision, err = l.bucket.Update(ctx, leaseKey(l.partition), []byte(l.holder), l.revision)
	}
	if err == nil {
		l.revision, l.until = revision, asked.Add(l.ttl)
		return nil
	}
	if lost(err) {
		l.given = true
	}
	return err
}

// unheard says whether it was a renewal of ours, whose answer was lost, that has changed the key; then its
// revision is known from now on. As long as the lease was valid when this is found, nobody else can have
// had it in between. The lock is held.
func (l *lease) unheard(ctx context.Context) bool {
	entry, err := l.bucket.Get(ctx, leaseKey(l.partition))
	if err != nil || string(entry.Value()) != l.holder || !time.Now().Before(l.until) {
		return false
	}
	l.revision = entry.Revision()
	return true
}

// valid says whether nobody else can have the lease now.
func (l *lease) valid() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return !l.given && time.Now().Before(l.until)
}

// giveBack ends the lease, so that another fanout can have it at once.
func (l *lease) giveBack(ctx context.Context) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.given {
		return nil
	}
	l.given = true
	return l.bucket.Delete(ctx, leaseKey(l.partition), jetstream.LastRevision(l.revision))
}

func (l *lease) announcement() *edgev1.Partition {
	return &edgev1.Partition{Number: l.partition, Epoch: l.epoch}
}

func leaseKey(partition uint32) string {
	return "partition." + strconv.FormatUint(uint64(partition), 10)
}
