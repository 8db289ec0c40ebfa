package stream_test

import (
	"context"
	"testing"
	"time"

	edgev1 "github.com/pona-realtime/pona/proto/pona/edge/v1"
	"github.com/pona-realtime/pona/services/fanout/fanouttest"
	"github.com/pona-realtime/pona/services/fanout/stream"
)

// awaitLag waits until a stream's lag is as wanted.
func awaitLag(t *testing.T, s *stream.Stream, what string, want func(stream.Lag) bool) {
	t.Helper()
	for deadline := time.Now().Add(fanouttest.Patience); ; time.Sleep(10 * time.Millisecond) {
		lag := s.Lag()
		if want(lag) {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("%s: %+v", what, lag)
		}
	}
}

func none(l stream.Lag) bool { return l.Events == 0 && l.Time < time.Second }

// TestLagWhileAHandlerIsBlocked stores more than a reader holds ahead, in other words what it has never heard of.
func TestLagWhileAHandlerIsBlocked(t *testing.T) {
	s, err := open(t, fanouttest.StartNATS(t), func(o *stream.Options) { o.Partitions = 1 })
	if err != nil {
		t.Fatal(err)
	}
	if lag := s.Lag(); lag != (stream.Lag{}) {
		t.Errorf("nobody follows, and the lag is %+v", lag)
	}
	run(t, s)
	came, proceed := make(chan struct{}, 1000), make(chan struct{})
	ctx, cancel := context.WithCancel(t.Context())
	left := make(chan struct{})
	go func() {
		defer close(left)
		s.Follow(ctx, 0, 0, func(*edgev1.Delivery) { came <- struct{}{}; <-proceed })
	}()
	store(t, s, fanouttest.Volume(1, 0))
	<-came
	awaitLag(t, s, "one is being handled", func(l stream.Lag) bool { return l.Events == 1 })
	for i := range 599 {
		store(t, s, fanouttest.Volume(1, i+1))
	}
	awaitLag(t, s, "the handler is blocked", func(l stream.Lag) bool { return l.Events == 600 && l.Time > 4*time.Second })
	close(proceed)
	awaitLag(t, s, "the handler goes on", none)
	cancel()
	<-left
	awaitLag(t, s, "nobody follows any more", func(l stream.Lag) bool { return l == stream.Lag{} })
}

// TestLagWhileNATSIsAway: nothing can be asked then, and what was known remains.
func TestLagWhileNATSIsAway(t *testing.T) {
	n := fanouttest.StartNATS(t)
	s, err := open(t, n, func(o *stream.Options) { o.Partitions = 1 })
	if err != nil {
		t.Fatal(err)
	}
	run(t, s)
	came := make(chan *edgev1.Delivery)
	follow(t, s, 0, 0, came)
	defer func() { <-came }() // before the follower leaves, which waits for its handler
	store(t, s, fanouttest.Volume(1, 0))
	awaitLag(t, s, "one is being handled", func(l stream.Lag) bool { return l.Events == 1 })
	n.Stop()
	awaitLag(t, s, "NATS is away", func(l stream.Lag) bool { return l.Events == 1 && l.Time > 4*time.Second })
	n.Start()
}
