package owner

import (
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/pona-realtime/pona/services/fanout/fanouttest"
)

// A renewal may be stored and its answer lost, as when a NATS cluster changes its leader: the lease is ours
// all the same. What another has written ends it.
func TestLeaseOutlivesARenewalWithoutAnswer(t *testing.T) {
	js, err := jetstream.New(fanouttest.StartNATS(t).Connect())
	if err != nil {
		t.Fatal(err)
	}
	bucket, err := js.CreateKeyValue(t.Context(), jetstream.KeyValueConfig{Bucket: leaseBucket})
	if err != nil {
		t.Fatal(err)
	}
	l, err := acquire(t.Context(), bucket, 7, "me", time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := bucket.Update(t.Context(), leaseKey(7), []byte("me"), l.revision); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := l.renew(t.Context()); err != nil || !l.valid() {
			t.Fatalf("renewed with %v, valid %v", err, l.valid())
		}
	}
	if _, err := bucket.Put(t.Context(), leaseKey(7), []byte("another")); err != nil {
		t.Fatal(err)
	}
	if err := l.renew(t.Context()); !lost(err) || l.valid() {
		t.Errorf("of another's lease: renewed with %v, valid %v", err, l.valid())
	}
}

// After its time a lease is nobody's until it is created again, whatever its key says.
func TestLeaseThatRanOutIsNotTakenUpAgain(t *testing.T) {
	js, err := jetstream.New(fanouttest.StartNATS(t).Connect())
	if err != nil {
		t.Fatal(err)
	}
	bucket, err := js.CreateKeyValue(t.Context(), jetstream.KeyValueConfig{Bucket: leaseBucket})
	if err != nil {
		t.Fatal(err)
	}
	l, err := acquire(t.Context(), bucket, 7, "me", 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := bucket.Put(t.Context(), leaseKey(7), []byte("me")); err != nil {
		t.Fatal(err)
	}
	if err := l.renew(t.Context()); !lost(err) || l.valid() {
		t.Errorf("renewed with %v, valid %v", err, l.valid())
	}
}
