package owner

import (
	"context"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/pona-realtime/pona/services/fanout/fanouttest"
)

func TestRenewalThatNATSDoesNotAnswerHoldsNobodyUp(t *testing.T) {
	nats := fanouttest.StartNATS(t)
	l, _, js := held(t, nats)
	nats.Stop()
	const patience = time.Second
	renewal, err := l.ask(js)
	if err != nil {
		t.Fatal(err)
	}
	renewing, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	renewed := make(chan error, 1)
	go func() { renewed <- renewal.hear(await(renewing, renewal.answer)) }()
	var longest time.Duration
	for {
		select {
		case err := <-renewed:
			if err == nil || !l.valid() {
				t.Errorf("renewing without NATS: %v, valid %v", err, l.valid())
			}
			if longest > patience/2 {
				t.Errorf("whether it is valid was not said for %v", longest)
			}
			return
		default:
			asked := time.Now()
			if !l.valid() {
				t.Fatal("it is not valid while it is renewed")
			}
			longest = max(longest, time.Since(asked))
		}
	}
}

// held gives a lease, the bucket it stands in, and what renews it.
func held(t *testing.T, nats *fanouttest.NATS) (*lease, jetstream.KeyValue, jetstream.JetStream) {
	t.Helper()
	js, err := jetstream.New(nats.Connect())
	if err != nil {
		t.Fatal(err)
	}
	bucket, err := openBucket(t.Context(), js, leaseBucket, time.Minute, 1)
	if err != nil {
		t.Fatal(err)
	}
	l, err := acquire(t.Context(), bucket, 1, "holder", time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	return l, bucket, js
}

// ask asks for a renewal, and gives it with its answer.
func ask(t *testing.T, l *lease, js jetstream.JetStream) (r *renewal, revision uint64, err error) {
	t.Helper()
	if r, err = l.ask(js); r == nil || err != nil {
		t.Fatalf("asking: %v, %v", r, err)
	}
	revision, err = await(t.Context(), r.answer)
	return r, revision, err
}

func TestRenewalWhoseAnswerIsLostCostsNothing(t *testing.T) {
	l, _, js := held(t, fanouttest.StartNATS(t))
	r, _, err := ask(t, l, js)
	if err != nil {
		t.Fatal(err)
	}
	if r.hear(0, context.DeadlineExceeded) == nil || !l.valid() { // the bucket has it, and it was not heard
		t.Fatal("an answer that was not heard is none, and costs no lease")
	}
	r, _, refused := ask(t, l, js)
	if !lost(refused) {
		t.Fatalf("the second renewal was answered %v: it named a revision that has gone", refused)
	}
	if err := r.again(t.Context(), refused); err != nil || !l.valid() {
		t.Errorf("asking again: %v, valid %v", err, l.valid())
	}
	r, revision, err := ask(t, l, js)
	if err := r.hear(revision, err); err != nil || !l.valid() {
		t.Errorf("the third renewal: %v, valid %v", err, l.valid())
	}
}

func TestRenewalOfAnothersLeaseEndsIt(t *testing.T) {
	l, bucket, js := held(t, fanouttest.StartNATS(t))
	if _, err := bucket.Put(t.Context(), leaseKey(1), []byte("another")); err != nil {
		t.Fatal(err)
	}
	r, _, refused := ask(t, l, js)
	if err := r.again(t.Context(), refused); !lost(err) || l.valid() {
		t.Errorf("asking again: %v, valid %v", err, l.valid())
	}
	if r, err := l.ask(js); r != nil || err != nil {
		t.Errorf("a lease that is lost is asked for: %v, %v", r, err)
	}
}

func TestLeaseThatIsGivenBackIsNotRenewed(t *testing.T) {
	l, bucket, js := held(t, fanouttest.StartNATS(t))
	r, revision, err := ask(t, l, js)
	if second, err := l.ask(js); second != nil || err != nil {
		t.Errorf("two renewals at once: %v, %v", second, err)
	}
	if err := r.hear(revision, err); err != nil {
		t.Fatal(err)
	}
	if err := l.giveBack(t.Context()); err != nil {
		t.Fatal(err)
	}
	if r, err := l.ask(js); r != nil || err != nil {
		t.Errorf("renewing what was given back: %v, %v", r, err)
	}
	if _, err := bucket.Get(t.Context(), leaseKey(1)); !gone(err) {
		t.Errorf("what was given back is still there: %v", err)
	}
}
