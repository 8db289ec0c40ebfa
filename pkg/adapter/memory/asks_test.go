package memory

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/pona-realtime/pona/pkg/adapter"
	"github.com/pona-realtime/pona/pkg/adapter/adaptertest"
)

// asked is a namespace whose clients are asked in a way of a test's own.
type asked struct {
	*adaptertest.Local
	ask func(ctx context.Context, asked func(int), answered func(adapter.Value))
}

func (a asked) Ask(ctx context.Context, _ adapter.Target, _ adapter.Flags, _ adapter.Value, asked func(int), answered func(adapter.Value)) error {
	a.ask(ctx, asked, answered)
	return nil
}

// pair is an asker, and the node that it asks.
func pair(t *testing.T, nearOpts, thereOpts adapter.Options, ask func(context.Context, func(int), func(adapter.Value))) (here *adapter.Cluster, there *adapter.Node) {
	t.Helper()
	bus := &Bus{}
	t.Cleanup(bus.Wait)
	near, there := adapter.NewNode(bus, nearOpts), adapter.NewNode(bus, thereOpts)
	t.Cleanup(near.Close)
	t.Cleanup(there.Close)
	there.Join("/", asked{adaptertest.NewLocal(), ask})
	return near.Join("/", adaptertest.NewLocal()), there
}

// TestMoreAnswersThanClients has a node that answers for clients it has not counted: they do not stand for those of others.
func TestMoreAnswersThanClients(t *testing.T) {
	answer := adapter.Value{JSON: []byte("1")}
	here, _ := pair(t, adapter.Options{}, adapter.Options{}, func(_ context.Context, asked func(int), answered func(adapter.Value)) {
		answered(answer)
		asked(2)
		answered(answer)
		answered(answer)
		answered(answer)
	})
	answers, err := here.BroadcastWithAck(t.Context(), adapter.Target{}, adapter.Flags{}, adapter.Value{JSON: []byte(`["q"]`)})
	if len(answers) != 2 || err != nil {
		t.Errorf("%d answers, %v", len(answers), err)
	}
}

// TestAsksAreBounded leaves questions unanswered: one more than the bound is dropped and counted, and the next is taken when
// there is room again.
func TestAsksAreBounded(t *testing.T) {
	under := make(chan struct{}, 4)
	here, there := pair(t, adapter.Options{}, adapter.Options{MaxAsks: 2}, func(ctx context.Context, asked func(int), _ func(adapter.Value)) {
		under <- struct{}{}
		asked(1)
		<-ctx.Done()
	})
	ask := func(patience time.Duration) error {
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		defer cancel()
		_, err := here.BroadcastWithAck(ctx, adapter.Target{}, adapter.Flags{}, adapter.Value{JSON: []byte(`["q"]`)})
		return err
	}
	ended := make(chan error, 2)
	for range 2 {
		go func() { ended <- ask(time.Second) }()
		<-under
	}
	var dropped *adapter.Incomplete
	if err := ask(50 * time.Millisecond); !errors.As(err, &dropped) || dropped.Answered != 0 || there.Stats().Dropped != 1 {
		t.Errorf("one too many: %v, %+v", err, there.Stats())
	}
	for range 2 {
		var taken *adapter.Incomplete
		if err := <-ended; !errors.As(err, &taken) || taken.Answered != 1 || taken.ExpectedClient != 1 {
			t.Errorf("within the bound: %v", err)
		}
	}
	for deadline := time.Now().Add(20 * time.Second); time.Now().Before(deadline); { // until the questions' time is up there too
		var taken *adapter.Incomplete
		if err := ask(50 * time.Millisecond); errors.As(err, &taken) && taken.Answered == 1 {
			return
		}
	}
	t.Error("none is taken afterwards")
}

// TestClosedWhileAsked closes a node that is being asked; what it has begun ends with it.
func TestClosedWhileAsked(t *testing.T) {
	for range 100 {
		began := make(chan struct{}, 1)
		var under atomic.Int64
		here, there := pair(t, adapter.Options{}, adapter.Options{}, func(_ context.Context, asked func(int), _ func(adapter.Value)) {
			under.Add(1)
			defer under.Add(-1)
			select {
			case began <- struct{}{}:
			default:
			}
			asked(0)
		})
		ctx, cancel := context.WithCancel(t.Context())
		var asking sync.WaitGroup
		asking.Go(func() {
			for ctx.Err() == nil {
				brief, cancel := context.WithTimeout(ctx, time.Millisecond)
				_, _ = here.BroadcastWithAck(brief, adapter.Target{}, adapter.Flags{}, adapter.Value{JSON: []byte(`["q"]`)})
				cancel()
			}
		})
		<-began
		there.Close()
		if n := under.Load(); n != 0 {
			t.Errorf("%d go on", n)
		}
		cancel()
		asking.Wait()
	}
}
