package memory

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/pona-realtime/pona/pkg/adapter"
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
				t.Cleanup(silent.Close)
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
				if s := node.Stats(); s != (adapter.Stats{Incomplete: 2}) {
					t.Errorf("%+v", s)
				}
			})
		})
	}
}
