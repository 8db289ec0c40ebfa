package memory

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/pona-realtime/pona/pkg/adapter"
	"github.com/pona-realtime/pona/pkg/adapter/adaptertest"
)

// TestHowLongClientsHave asks clients that are silent: the asker waits as long as its caller does, or else as long as its own
// option says; and so long, and no longer, does the node that asks them for it.
func TestHowLongClientsHave(t *testing.T) {
	for _, test := range []struct {
		name             string
		patience, option time.Duration // 0: none
		want             time.Duration
	}{
		{"by default", 0, 0, 5 * time.Second},
		{"by the option", 0, 2 * time.Second, 2 * time.Second},
		{"less than the option", time.Second, 2 * time.Second, time.Second},
		{"more than the option", 8 * time.Second, 2 * time.Second, 8 * time.Second},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				began, ended := time.Now(), make(chan time.Duration, 1)
				here, _ := pair(t, adapter.Options{RequestTimeout: test.option}, adapter.Options{}, func(ctx context.Context, asked func(int), _ func(adapter.Value)) {
					asked(1)
					<-ctx.Done()
					ended <- time.Since(began)
				})
				ctx := t.Context()
				if test.patience > 0 {
					var cancel context.CancelFunc
					ctx, cancel = context.WithTimeout(ctx, test.patience)
					defer cancel()
				}
				_, err := here.BroadcastWithAck(ctx, adapter.Target{}, adapter.Flags{}, adapter.Value{JSON: []byte(`["q"]`)})
				if took := time.Since(began); !errors.Is(err, context.DeadlineExceeded) || took != test.want {
					t.Errorf("ends after %s: %v", took, err)
				}
				if asked := <-ended; asked != test.want {
					t.Errorf("clients had %s", asked)
				}
			})
		})
	}
}

// TestEveryRequestEnds asks a node that does not answer, each kind of request; and gives up while it waits.
func TestEveryRequestEnds(t *testing.T) {
	for name, ask := range map[string]func(context.Context, *adapter.Cluster) error{
		"fetchSockets": func(ctx context.Context, c *adapter.Cluster) error {
			_, err := c.FetchSockets(ctx, adapter.Target{})
			return err
		},
		"allRooms": func(ctx context.Context, c *adapter.Cluster) error { _, err := c.AllRooms(ctx); return err },
		"serverSideEmit": func(ctx context.Context, c *adapter.Cluster) error {
			_, err := c.ServerSideEmitWithAck(ctx, adapter.Value{})
			return err
		},
		"emitWithAck": func(ctx context.Context, c *adapter.Cluster) error {
			_, err := c.BroadcastWithAck(ctx, adapter.Target{}, adapter.Flags{}, adapter.Value{})
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				bus := &Bus{}
				t.Cleanup(bus.Wait)
				node := adapter.NewNode(bus, adapter.Options{})
				t.Cleanup(node.Close)
				silent := bus.Connect("/", false, func(*adapter.Message) {})
				c := node.Visit("/")
				var incomplete *adapter.Incomplete
				began := time.Now()
				err := ask(t.Context(), c)
				if took := time.Since(began); took != 5*time.Second || !errors.As(err, &incomplete) || !errors.Is(err, context.DeadlineExceeded) ||
					incomplete.Request != name || incomplete.Answered != 0 || incomplete.Expected != 1 {
					t.Errorf("after %s: %v", took, err)
				}
				ctx, cancel := context.WithCancel(t.Context())
				time.AfterFunc(time.Second, cancel)
				if err := ask(ctx, c); time.Since(began) != 6*time.Second || !errors.Is(err, context.Canceled) {
					t.Errorf("given up after %s: %v", time.Since(began), err)
				}
				silent.Close()
				if err := ask(t.Context(), c); err != nil {
					t.Errorf("with nobody to ask: %v", err)
				}
				if s := node.Stats(); s != (adapter.Stats{Incomplete: 2, Complete: 1}) {
					t.Errorf("%+v", s)
				}
			})
		})
	}
}

// TestHowLongOthersMayAsk has a server ask that does not say how long clients have: as long as our own requests may take.
func TestHowLongOthersMayAsk(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		bus := &Bus{}
		t.Cleanup(bus.Wait)
		node := adapter.NewNode(bus, adapter.Options{RequestTimeout: 2 * time.Second})
		t.Cleanup(node.Close)
		began, ended := time.Now(), make(chan time.Duration, 1)
		node.Join("/", asked{adaptertest.NewLocal(), func(ctx context.Context, asked func(int), _ func(adapter.Value)) {
			asked(1)
			<-ctx.Done()
			ended <- time.Since(began)
		}})
		other := bus.Connect("/", true, func(*adapter.Message) {})
		t.Cleanup(other.Close)
		if err := other.Publish(&adapter.Message{Kind: adapter.Broadcast, RequestID: "q"}, nil); err != nil {
			t.Fatal(err)
		}
		if took := <-ended; took != 2*time.Second {
			t.Errorf("clients had %s", took)
		}
	})
}

// troubled is a bus that says of what is published what a test wants.
type troubled struct {
	*Bus
	publish func(done func(error)) error
}

type troubledLine struct {
	adapter.Line
	by troubled
}

func (b troubled) Connect(namespace string, visitor bool, deliver func(*adapter.Message)) adapter.Line {
	return troubledLine{b.Bus.Connect(namespace, visitor, deliver), b}
}

func (l troubledLine) Publish(_ *adapter.Message, done func(error)) error { return l.by.publish(done) }

// TestQuestionsThatAreNotAsked end at once, with the reason: nothing was done where the bus takes none, and it is not known what was
// where it has lost one, or where the node is closed.
func TestQuestionsThatAreNotAsked(t *testing.T) {
	for name, test := range map[string]struct {
		publish func(done func(error)) error
		close   bool
		want    error
		stats   adapter.Stats
	}{
		"refused": {publish: func(func(error)) error { return adapter.ErrFull }, want: adapter.ErrFull, stats: adapter.Stats{Unreachable: 1}},
		"lost": {publish: func(done func(error)) error {
			done(adapter.ErrUnreachable)
			return nil
		}, want: adapter.ErrUnreachable, stats: adapter.Stats{Incomplete: 1}},
		"closed": {publish: func(func(error)) error { return nil }, close: true, want: adapter.ErrUnreachable, stats: adapter.Stats{Incomplete: 1}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				bus := troubled{&Bus{}, test.publish}
				t.Cleanup(bus.Wait)
				node := adapter.NewNode(bus, adapter.Options{})
				t.Cleanup(node.Close)
				t.Cleanup(bus.Bus.Connect("/", false, func(*adapter.Message) {}).Close)
				c, began := node.Visit("/"), time.Now()
				if test.close {
					time.AfterFunc(time.Nanosecond, node.Close) // when the request waits
				}
				_, err := c.FetchSockets(t.Context(), adapter.Target{})
				var incomplete *adapter.Incomplete
				if !errors.Is(err, test.want) || errors.As(err, &incomplete) != (test.stats.Incomplete > 0) || time.Since(began) > time.Nanosecond {
					t.Errorf("after %s: %v", time.Since(began), err)
				}
				if s := node.Stats(); s != test.stats {
					t.Errorf("%+v", s)
				}
			})
		})
	}
}

// TestOrdersThatAreNotTaken end with what the bus says of them, or when a request would.
func TestOrdersThatAreNotTaken(t *testing.T) {
	for name, test := range map[string]struct {
		publish func(done func(error)) error
		want    error
		after   time.Duration
	}{
		"taken":   {publish: func(done func(error)) error { done(nil); return nil }},
		"refused": {publish: func(func(error)) error { return adapter.ErrFull }, want: adapter.ErrFull},
		"lost":    {publish: func(done func(error)) error { done(adapter.ErrUnreachable); return nil }, want: adapter.ErrUnreachable},
		"unheard": {publish: func(func(error)) error { return nil }, want: adapter.ErrUnreachable, after: 2 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				bus := troubled{&Bus{}, test.publish}
				t.Cleanup(bus.Wait)
				node := adapter.NewNode(bus, adapter.Options{RequestTimeout: 2 * time.Second})
				t.Cleanup(node.Close)
				began := time.Now()
				if err := node.Visit("/").Tell(t.Context(), &adapter.Message{Kind: adapter.Leave}); !errors.Is(err, test.want) || time.Since(began) != test.after {
					t.Errorf("after %s: %v", time.Since(began), err)
				}
			})
		})
	}
}
