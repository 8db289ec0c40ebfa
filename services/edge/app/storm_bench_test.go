package app

import (
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/pona-realtime/pona/services/edge/edgetest"
)

// BenchmarkStorm has b.N clients of 100 guilds, lost on one edge, come back together on another that knows none
// of the guilds, and ends when each has what it missed: one event. Clients and edges share the process.
// Run it with -benchtime 10000x.
func BenchmarkStorm(b *testing.B) {
	const guilds = 100
	f := edgetest.StartFanout(b)
	p := f.Play(b)
	s := local(b)
	s.Fanouts, s.ConnectRate = []string{f.Addr()}, 0
	from, to := started(b, s), started(b, s)
	namespace := func(i int) string { return fmt.Sprint("/guild/", i%guilds+1) }
	lost := make([]*edgetest.Client, b.N)
	for i := range lost {
		lost[i] = edgetest.DialWebSocket(b, from.Addr())
		lost[i].Connect(namespace(i), as(i+1))
		lost[i].Joined(namespace(i))
		lost[i].Handshake(namespace(i))
	}
	for guild := range guilds {
		p.Publish(uint64(guild+1), edgetest.Volume("1"))
	}
	back := make([]*edgetest.Client, b.N)
	for i := range back {
		back[i] = edgetest.DialWebSocket(b, to.Addr())
	}
	b.ResetTimer()
	var storm sync.WaitGroup
	for i, c := range back {
		storm.Go(func() {
			c.ConnectAgain(lost[i], namespace(i), as(i+1))
			c.Want(edgetest.Event, namespace(i), `["volume_updated",1]`)
			if c.Joined(namespace(i)); !c.Recovered() {
				b.Error("not recovered")
			}
		})
	}
	storm.Wait()
	b.StopTimer()
	b.ReportMetric(float64(f.Replays())/guilds, "reads/guild")
	b.ReportMetric(b.Elapsed().Seconds(), "s-to-the-last")
	if b.Elapsed() > 10*time.Second {
		b.Error("it took more than 10 s")
	}
}
