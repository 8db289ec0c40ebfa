package redisbus

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/pona-realtime/pona/pkg/adapter"
	"github.com/pona-realtime/pona/pkg/adapter/redistest"
)

// BenchmarkNamespaces publishes to one namespace of many that live on three nodes each, and stops the clock
// when the other two have it: what Redis and we pay for a message must not grow with the namespaces.
func BenchmarkNamespaces(b *testing.B) {
	for _, n := range []int{100, 10_000, 100_000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			server := redistest.Start(b)
			client := redis.NewClient(&redis.Options{Addr: server.Addr(), MaxRetries: -1})
			defer client.Close()
			heard := make(chan struct{}, 16)
			var lines [3][]adapter.Line
			for i := range lines {
				bus, err := New(client, Options{})
				if err != nil {
					b.Fatal(err)
				}
				defer bus.Close()
				for j := range n {
					line := bus.Connect(fmt.Sprintf("/guild/%d", j), false, func(*adapter.Message) { heard <- struct{}{} })
					line.Enter("pona! music")
					lines[i] = append(lines[i], line)
				}
				if err := bus.Synced(b.Context()); err != nil {
					b.Fatal(err)
				}
			}
			m := &adapter.Message{Kind: adapter.Broadcast, Target: adapter.Target{Rooms: []string{"pona! music"}}, Value: adapter.Value{JSON: []byte(`["ev",1]`)}}
			cpu := func() float64 {
				info := client.InfoMap(b.Context(), "cpu").Val()["CPU"]
				var user, system float64
				_, _ = fmt.Sscan(info["used_cpu_user"], &user)
				_, _ = fmt.Sscan(info["used_cpu_sys"], &system)
				return user + system
			}
			var took []time.Duration
			before, i := cpu(), 0
			for b.Loop() {
				began := time.Now()
				if err := lines[0][i*7919%n].Publish(m, nil); err != nil {
					b.Fatal(err)
				}
				<-heard
				<-heard
				took = append(took, time.Since(began))
				i++
			}
			slices.Sort(took)
			b.ReportMetric(float64(took[len(took)/2].Microseconds()), "p50-µs")
			b.ReportMetric(float64(took[len(took)*99/100].Microseconds()), "p99-µs")
			b.ReportMetric((cpu()-before)*1e6/float64(i), "redis-µs/op")
		})
	}
}
