package app_test

import (
	"context"
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	botv1 "github.com/pona-realtime/pona/proto/pona/bot/v1"
	edgev1 "github.com/pona-realtime/pona/proto/pona/edge/v1"
	playerv1 "github.com/pona-realtime/pona/proto/pona/player/v1"
	"github.com/pona-realtime/pona/services/fanout/fanouttest"
)

// BenchmarkEventToTwoEdges publishes events of 500 guilds over one PublishStream, and ends when two
// edges have had all of them. The fanout is a process of its own; its CPU time is what counts, with
// ingest, storing, folding, checkpoints and routing. NATS, bot and edges run in this process.
func BenchmarkEventToTwoEdges(b *testing.B) {
	for _, size := range []int{50, 1000, 10000} {
		b.Run(fmt.Sprintf("track=%dB", size), func(b *testing.B) {
			benchmarkEvents(b, startChild(b, fanouttest.StartNATS(b).URL()), 500, size)
		})
	}
}

func benchmarkEvents(b *testing.B, f *child, benchGuilds uint64, size int) {
	const perRequest = 20
	var came sync.WaitGroup
	var latency atomic.Int64 // sum, ns
	came.Add(2)
	for i := range 2 {
		edge := fanouttest.NewEdge(b, f.address, fmt.Sprint("edge-", i))
		n := 8
		fmt.Sscan(os.Getenv(childPartitions), &n)
		edge.AwaitOwned(n)
		for g := uint64(1); g <= benchGuilds; g++ {
			edge.Subscribe(g)
		}
		edge.AwaitSnapshot(benchGuilds)
		for g := uint64(1); g <= benchGuilds; g++ {
			edge.AwaitSnapshot(g)
		}
		edge.Forget()
		total := 0
		edge.OnMessage(func(r *edgev1.DeliverResponse) {
			now := time.Now().UnixNano()
			for _, d := range r.GetBatch().GetDeliveries() {
				latency.Add(now - d.GetStoredAtNs())
				if total++; total == b.N {
					came.Done()
				}
			}
		})
	}
	stream, err := fanouttest.NewBot(b, f.address).Client.PublishStream(context.Background())
	if err != nil {
		b.Fatal(err)
	}
	track := []byte(`{"title":"` + strings.Repeat("x", size) + `"}`)
	before, others := cpuOf(b, f.process.Pid), cpuOf(b, os.Getpid())
	b.ResetTimer()
	var publishing sync.WaitGroup
	publishing.Go(func() {
		for n := 0; n < b.N; {
			request := &botv1.PublishStreamRequest{}
			for ; len(request.GetEvents()) < perRequest && n < b.N; n++ {
				request.Events = append(request.Events, &playerv1.Event{
					EventId: strconv.Itoa(n), GuildId: uint64(n)%benchGuilds + 1,
					Kind: &playerv1.Event_TrackUpdated{TrackUpdated: &playerv1.TrackUpdated{Track: track}},
				})
			}
			if err := stream.Send(request); err != nil {
				b.Error(err)
				return
			}
		}
	})
	publishing.Go(func() {
		for n := 0; n < b.N; n += perRequest {
			if _, err := stream.Recv(); err != nil {
				b.Error(err)
				return
			}
		}
	})
	publishing.Wait()
	came.Wait()
	b.StopTimer()
	b.ReportMetric(float64((cpuOf(b, f.process.Pid)-before).Microseconds())/float64(b.N), "fanout-cpu-µs/event")
	b.ReportMetric(float64((cpuOf(b, os.Getpid())-others).Microseconds())/float64(b.N), "others-cpu-µs/event")
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "events/s")
	b.ReportMetric(float64(latency.Load())/float64(2*b.N)/1e6, "ms-stored-to-edge")
}

// cpuOf is the CPU time that a process has used: proc(5), fields 14 and 15 of stat, in ticks of
// which Linux has 100 a second.
func cpuOf(b *testing.B, pid int) time.Duration {
	b.Helper()
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		b.Skipf("no /proc: %v", err)
	}
	_, after, _ := strings.Cut(string(stat), ") ")
	fields := strings.Fields(after) // from field 3 on
	ticks := 0
	for _, field := range fields[11:13] {
		n, err := strconv.Atoi(field)
		if err != nil {
			b.Fatal(err)
		}
		ticks += n
	}
	return time.Duration(ticks) * time.Second / 100
}
