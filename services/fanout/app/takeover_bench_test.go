package app_test

import (
	"fmt"
	"testing"
	"time"

	playerv1 "github.com/pona-realtime/pona/proto/pona/player/v1"

	"github.com/pona-realtime/pona/services/fanout/app"
	"github.com/pona-realtime/pona/services/fanout/fanouttest"
)

// publishEach gives each of so many guilds one event.
func publishEach(b *testing.B, bot *fanouttest.Bot, guilds int) {
	b.Helper()
	const atOnce = 250
	for first := 1; first <= guilds; first += atOnce {
		var events []*playerv1.Event
		for g := first; g < first+atOnce && g <= guilds; g++ {
			events = append(events, fanouttest.Volume(uint64(g), 1))
		}
		bot.Publish(events...)
	}
}

// BenchmarkTakeover kills -9 the owner of 64 partitions that have 100 000 guilds' states between them, and
// measures, with 5000 events since the last checkpoints, how long the other fanout takes after the leases' end until it delivers all of them, and then
// how long until it has given 1000 guilds' snapshots. One iteration is enough: -benchtime 1x.
func BenchmarkTakeover(b *testing.B) {
	const guilds, recent, asked = 100_000, 5000, 1000
	for range b.N {
		url := fanouttest.StartNATS(b).URL()
		b.Setenv(childPartitions, "64")
		first := startReady(b, url, func(s *app.Settings) { s.Partitions = 64 })
		publishEach(b, fanouttest.NewBot(b, first.GRPCAddr()), guilds)
		first.stop(b) // leaves checkpoints of all guilds
		doomed := startChild(b, url)
		publishEach(b, fanouttest.NewBot(b, doomed.address), recent)
		heir := startReady(b, url, func(s *app.Settings) { s.Partitions, s.ID = 64, "heir" })
		edge := fanouttest.NewEdge(b, heir.GRPCAddr(), "edge")
		doomed.kill()
		killed := time.Now()
		edge.AwaitOwned(64)
		b.ReportMetric(max(0, time.Since(killed)-3*time.Second).Seconds(), "s-after-lease")
		asking := time.Now()
		for g := uint64(1); g <= asked; g++ {
			edge.Subscribe(g)
		}
		for g := uint64(1); g <= asked; g++ {
			if volume := edge.AwaitSnapshot(g).GetState().GetVolume(); volume != "1" {
				b.Fatalf("guild %d has the volume %s", g, volume)
			}
		}
		b.ReportMetric(time.Since(asking).Seconds()*1000/asked, "ms/snapshot")
	}
}

// BenchmarkEventAmongKnownGuilds is BenchmarkEventToTwoEdges where the fanout knows more or fewer guilds
// beside the 100 that have events.
func BenchmarkEventAmongKnownGuilds(b *testing.B) {
	for _, known := range []int{100, 10_000, 100_000} {
		b.Run(fmt.Sprintf("known=%d", known), func(b *testing.B) {
			f := startChild(b, fanouttest.StartNATS(b).URL())
			publishEach(b, fanouttest.NewBot(b, f.address), known)
			benchmarkEvents(b, f, 100, 50)
		})
	}
}
