package link

import (
	"context"
	"errors"
	"net"
	"testing"
	"time"

	"github.com/pona-realtime/pona/services/edge/edgetest"
)

// TestFanoutsComeAndGoByName: of a name's addresses a new one is dialled; one that the name has no more is kept while it serves, as a
// fanout that stops does, and given up afterwards; a name that cannot be looked up changes nothing.
func TestFanoutsComeAndGoByName(t *testing.T) {
	type answer struct {
		addresses []string
		err       error
	}
	answers := make(chan answer) // the next look-up waits for one
	first := edgetest.StartFanout(t)
	_, port, _ := net.SplitHostPort(first.Addr())
	second := edgetest.StartFanout(t, net.JoinHostPort("127.0.0.2", port))
	l, got := runWith(t, Options{
		EdgeID: "edge-1", Fanouts: []string{"dns:///fanouts:" + port}, Discovery: time.Millisecond,
		LookUp: func(ctx context.Context, name string) ([]string, error) {
			if name != "fanouts" {
				t.Errorf("looks up %q", name)
			}
			select {
			case a := <-answers:
				return a.addresses, a.err
			case <-ctx.Done():
				return nil, ctx.Err()
			}
		},
	})
	// say gives the look-up an answer twice: when the second is taken, the first has had its effect.
	say := func(err error, addresses ...string) {
		answers <- answer{addresses, err}
		answers <- answer{addresses, err}
	}
	say(nil, "127.0.0.1")
	s1 := accept(t, first)
	s1.Owned(1, 2, 0) // guild 7
	say(nil, "127.0.0.1", "127.0.0.2")
	s2 := accept(t, second)
	s2.Owned(1, 2, 1) // guild 8
	l.Subscribe(7)
	l.Subscribe(8)
	expect(t, s1, 7, -1)
	expect(t, s2, 8, -1)
	say(nil, "127.0.0.2")
	s1.Snapshot(7, 3, nil)
	got.want(t, "7:3")
	say(errors.New("no such host"))
	say(nil)
	s2.Snapshot(8, 5, nil)
	got.want(t, "8:5")
	first.Stop()
	<-s1.Ended
	say(nil, "127.0.0.2")
	first = edgetest.StartFanout(t, first.Addr())
	say(nil, "127.0.0.1", "127.0.0.2")
	s1 = accept(t, first)
	s1.Owned(2, 2, 0)
	expect(t, s1, 7, 3)
}
