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

// renew asks for another TTL. After an error the lease lives on until its time is over, except
// when the bucket says that it is another's, or nobody's.
func (l *lease) renew(ctx context.Context) error {
	l.asking.Lock()
	defer l.asking.Unlock()
	last, given := l.last()
	if given {
		return nil
	}
	asked := time.Now() // the server counts from later on, so until is never too late
	revision, err := l.bucket.Update(ctx, leaseKey(l.partition), []byte(l.holder), last)
	if lost(err) {
		if unheard := l.unheard(ctx); unheard != 0 {
			revision, err = l.bucket.Update(ctx, leaseKey(l.partition), []byte(l.holder), unheard)
		}
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if err == nil {
		l.revision, l.until = revision, asked.Add(l.ttl)
		return nil
	}
	if lost(err) {
		l.given = true
	}
	return err
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
