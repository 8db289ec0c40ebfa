package app_test

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	edgev1 "github.com/pona-realtime/pona/proto/pona/edge/v1"
	playerv1 "github.com/pona-realtime/pona/proto/pona/player/v1"

	"github.com/pona-realtime/pona/services/fanout/app"
	"github.com/pona-realtime/pona/services/fanout/fanouttest"
)

// publishEach gives each of so many guilds one event, and gives the sequence of the last one.
func publishEach(b *testing.B, bot *fanouttest.Bot, guilds int) (last uint64) {
	b.Helper()
	const atOnce = 250
	for first := 1; first <= guilds; first += atOnce {
		var events []*playerv1.Event
		for g := first; g < first+atOnce && g <= guilds; g++ {
			events = append(events, fanouttest.Volume(uint64(g), 1))
		}
		results := bot.Publish(events...)
		last = results[len(results)-1].GetSequence()
	}
	return last
}

// BenchmarkTakeover kills -9 the owner of 64 partitions that have 100 000 guilds' states between them, with
// 5000 events since the last checkpoints. It measures how long after the last lease's end the other fanout
// delivers all of them, how long it then takes to give an edge 10 000 guilds' snapshots, and what CPU time
// it and this process, where NATS runs, have used for either. One iteration is enough: -benchtime 1x.
func BenchmarkTakeover(b *testing.B) {
	const guilds, recent, asked = 100_000, 5000, 10_000
	for range b.N {
		nats := fanouttest.StartNATS(b)
		b.Setenv(childPartitions, "64")
		first := startReady(b, nats.URL(), func(s *app.Settings) { s.Partitions = 64 })
		publishEach(b, fanouttest.NewBot(b, first.GRPCAddr()), guilds)
		first.stop(b) // leaves checkpoints of all guilds
		doomed := startChild(b, nats.URL())
		publishEach(b, fanouttest.NewBot(b, doomed.address), recent)
		b.Setenv(childID, "heir")
		heir := startChild(b, nats.URL())
		edge := fanouttest.NewEdge(b, heir.address, "edge")
		doomed.kill()
		lasting := leasesEnd(b, nats)
		pace := func() (time.Duration, time.Duration) { return cpuOf(b, heir.process.Pid), cpuOf(b, os.Getpid()) }
		heirBefore, natsBefore := pace()
		edge.AwaitOwned(64)
		took := time.Since(lasting)
		heirAfter, natsAfter := pace()
		b.ReportMetric(took.Seconds(), "s-after-lease")
		b.ReportMetric((heirAfter - heirBefore).Seconds(), "s-fanout-cpu")
		b.ReportMetric((natsAfter - natsBefore).Seconds(), "s-nats-cpu")
		asking := time.Now()
		var came sync.WaitGroup
		came.Add(asked)
		edge.OnMessage(func(r *edgev1.DeliverResponse) {
			if s := r.GetSnapshot(); s != nil {
				if volume := s.GetState().GetVolume(); volume != "1" {
					b.Errorf("guild %d has the volume %s", s.GetGuildId(), volume)
				}
				came.Done()
			}
		})
		for g := uint64(1); g <= asked; g++ {
			edge.Subscribe(g)
		}
		came.Wait()
		heirAsked, natsAsked := pace()
		b.ReportMetric(time.Since(asking).Seconds()*1e6/asked, "µs/snapshot")
		b.ReportMetric(float64((heirAsked-heirAfter).Microseconds())/asked, "fanout-cpu-µs/snapshot")
		b.ReportMetric(float64((natsAsked-natsAfter).Microseconds())/asked, "nats-cpu-µs/snapshot")
	}
}

// leasesEnd is when the last of the leases held now ends, if nobody renews them.
func leasesEnd(b *testing.B, n *fanouttest.NATS) (last time.Time) {
	b.Helper()
	js, err := jetstream.New(n.Connect())
	if err != nil {
		b.Fatal(err)
	}
	bucket, err := js.KeyValue(b.Context(), "FANOUT_LEASES")
	if err != nil {
		b.Fatal(err)
	}
	held, err := bucket.WatchFiltered(b.Context(), []string{"partition.*"})
	if err != nil {
		b.Fatal(err)
	}
	defer held.Stop() //nolint:errcheck // it has said all
	for lease := range held.Updates() {
		if lease == nil {
			return last
		}
		if end := lease.Created().Add(3 * time.Second); end.After(last) {
			last = end
		}
	}
	b.Fatal("the watch ended")
	return last
}

// awaitCheckpoints waits until a partition's checkpoint is complete up to the sequence and no other is written
// for as long as an interval: the fanout then does nothing more for what it was told.
func awaitCheckpoints(b *testing.B, n *fanouttest.NATS, last uint64) {
	b.Helper()
	js, err := jetstream.New(n.Connect())
	if err != nil {
		b.Fatal(err)
	}
	bucket, err := js.KeyValue(b.Context(), "FANOUT_STATE")
	if err != nil {
		b.Fatal(err)
	}
	written, err := bucket.WatchAll(b.Context())
	if err != nil {
		b.Fatal(err)
	}
	defer written.Stop() //nolint:errcheck // it has said all
	const interval = 16 * time.Second
	quiet, complete := time.NewTimer(interval), false
	for {
		select {
		case entry := <-written.Updates():
			quiet.Reset(interval)
			if entry != nil && strings.HasPrefix(entry.Key(), "partition.") {
				upTo, err := strconv.ParseUint(string(entry.Value()), 10, 64)
				complete = complete || err == nil && upTo >= last // lanes of the ingest end in no order
			}
		case <-quiet.C:
			if !complete {
				b.Fatal("no checkpoint has the last event")
			}
			return
		}
	}
}

// BenchmarkEventAmongKnownGuilds is BenchmarkEventToTwoEdges where the fanout knows more or fewer guilds
// beside the 100 that have events.
func BenchmarkEventAmongKnownGuilds(b *testing.B) {
	for _, known := range []int{100, 10_000, 100_000} {
		b.Run(fmt.Sprintf("known=%d", known), func(b *testing.B) {
			nats := fanouttest.StartNATS(b)
			f := startChild(b, nats.URL())
			awaitCheckpoints(b, nats, publishEach(b, fanouttest.NewBot(b, f.address), known))
			benchmarkEvents(b, f, 100, 50)
		})
	}
}
