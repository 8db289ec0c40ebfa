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
	nats.Stop()
	const patience = time.Second
	renewing, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	renewed := make(chan error, 1)
	go func() { renewed <- l.renew(renewing) }()
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
