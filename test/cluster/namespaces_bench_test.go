package cluster

import (
	"bufio"
	"fmt"
	"io"
	"os/exec"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/pona-realtime/pona/pkg/adapter/redistest"
)

// BenchmarkNodeNamespaces is pkg/adapter/redisbus' BenchmarkNamespaces with three of Node's servers: one message at a
// time to a room of one namespace of many, from its emit until the other two have it.
func BenchmarkNodeNamespaces(b *testing.B) {
	for _, n := range []int{100, 1000, 10_000, 30_000, 100_000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			server := redistest.Start(b)
			client := redis.NewClient(&redis.Options{Addr: server.Addr(), MaxRetries: -1})
			defer client.Close()
			began := time.Now()
			var guilds io.Writer
			var outputs [3]*bufio.Scanner
			for i := range outputs {
				cmd := exec.Command("node", "namespaces.js")
				cmd.Dir = "node"
				cmd.Env = append(cmd.Environ(), "REDIS=redis://"+server.Addr(), "KEY="+key, fmt.Sprint("N=", n))
				in, err := cmd.StdinPipe()
				if err != nil {
					b.Fatal(err)
				}
				out, err := cmd.StdoutPipe()
				if err != nil {
					b.Fatal(err)
				}
				if err := cmd.Start(); err != nil {
					b.Fatal(err)
				}
				defer cmd.Wait() //nolint:errcheck // was killed
				defer cmd.Process.Kill()
				outputs[i] = bufio.NewScanner(out)
				if i == 0 {
					guilds = in
				}
			}
			for _, out := range outputs {
				if !out.Scan() || out.Text() != "ready" {
					b.Fatalf("after %s a server has ended: %s", time.Since(began), out.Text())
				}
			}
			setup := time.Since(began)
			var took []int
			before, i := redisCPU(b, client), 0
			for b.Loop() {
				fmt.Fprintln(guilds, i*7919%n)
				slower := 0
				for _, out := range outputs[1:] {
					if !out.Scan() {
						b.Fatal("a server has ended")
					}
					µs, err := strconv.Atoi(out.Text())
					if err != nil {
						b.Fatal(err)
					}
					slower = max(slower, µs)
				}
				took = append(took, slower)
				i++
			}
			slices.Sort(took)
			b.ReportMetric(setup.Seconds(), "setup-s")
			b.ReportMetric(float64(took[len(took)/2]), "p50-µs")
			b.ReportMetric(float64(took[len(took)*99/100]), "p99-µs")
			b.ReportMetric((redisCPU(b, client)-before)*1e6/float64(i), "redis-µs/op")
		})
	}
}

// redisCPU is what Redis has used so far, in seconds.
func redisCPU(b *testing.B, client *redis.Client) float64 {
	info := client.InfoMap(b.Context(), "cpu").Val()["CPU"]
	var user, system float64
	_, _ = fmt.Sscan(info["used_cpu_user"], &user)
	_, _ = fmt.Sscan(info["used_cpu_sys"], &system)
	return user + system
}
