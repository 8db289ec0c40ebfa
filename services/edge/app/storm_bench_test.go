package app

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/pona-realtime/pona/pkg/adapter/redistest"
	"github.com/pona-realtime/pona/services/edge/edgetest"
)

// The storm of BenchmarkStorm: 100 clients for each guild.
const (
	stormClients, stormGuilds = 10_000, 100
	stormAt                   = "PONA_TEST_STORM_AT" // the edges that the clients are on and come back to
)

func stormNamespace(client int) string { return fmt.Sprint("/guild/", client%stormGuilds+1) }

// TestStormOfClients is the clients' side of BenchmarkStorm, in a process of its own: one may not have file
// descriptors for both. It says when the clients are lost, waits for a line, and says how long the storm
// took, and the client for which it took longest from its own reconnect.
func TestStormOfClients(t *testing.T) {
	from, to, _ := strings.Cut(os.Getenv(stormAt), " ")
	if from == "" {
		t.Skip("there is no benchmark that it belongs to")
	}
	lost := make([]*edgetest.Client, stormClients)
	t.Run("come", func(t *testing.T) { // and are lost with its end
		var coming sync.WaitGroup
		for i := range lost {
			coming.Go(func() {
				c := edgetest.DialWebSocket(t, from, edgetest.Expecting(8))
				c.Connect(stormNamespace(i), as(i+1))
				c.Joined(stormNamespace(i))
				c.Handshake(stormNamespace(i))
				lost[i] = c
			})
		}
		coming.Wait()
	})
	fmt.Println("lost")
	if _, err := bufio.NewReader(os.Stdin).ReadString('\n'); err != nil {
		t.Fatal(err)
	}
	began, longest := time.Now(), atomic.Int64{}
	var storm sync.WaitGroup
	for i := range lost {
		storm.Go(func() {
			began := time.Now()
			c := edgetest.DialWebSocket(t, to, edgetest.Expecting(8))
			c.ConnectAgain(lost[i], stormNamespace(i), as(i+1))
			c.Want(edgetest.Event, stormNamespace(i), `["volume_updated",1]`)
			if c.Joined(stormNamespace(i)); !c.Recovered() {
				t.Error("not recovered")
			}
			for took := int64(time.Since(began)); ; {
				if last := longest.Load(); took <= last || longest.CompareAndSwap(last, took) {
					return
				}
			}
		})
	}
	storm.Wait()
	fmt.Println(time.Since(began).Seconds(), time.Duration(longest.Load()).Seconds())
}

// BenchmarkStorm has 10 000 clients of 100 guilds, lost on one edge, come back together on another that knows none
// of the guilds, and ends when each has what it missed: one event. With Redis each is asked about, for its rooms.
// Run it with -benchtime 1x.
func BenchmarkStorm(b *testing.B) {
	b.Run("alone", func(b *testing.B) { storm(b, "") })
	b.Run("with Redis", func(b *testing.B) { storm(b, "redis://"+redistest.Start(b).Addr()) })
}

func storm(b *testing.B, redis string) {
	program, err := os.Executable()
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		f := edgetest.StartFanout(b)
		p := f.Play(b)
		s := local(b)
		s.Fanouts, s.ConnectRate, s.Redis = []string{f.Addr()}, 0, redis
		from, to := started(b, s), started(b, s)

		clients := exec.Command(program, "-test.run", "^TestStormOfClients$")
		clients.Env = append(os.Environ(), stormAt+"="+from.Addr()+" "+to.Addr())
		clients.Stderr = os.Stderr
		in, err := clients.StdinPipe()
		if err != nil {
			b.Fatal(err)
		}
		out, err := clients.StdoutPipe()
		if err != nil {
			b.Fatal(err)
		}
		if err := clients.Start(); err != nil {
			b.Fatal(err)
		}
		said := bufio.NewReader(out)
		if line, _ := said.ReadString('\n'); line != "lost\n" {
			b.Fatalf("the clients said %q", line)
		}
		for guild := range stormGuilds {
			p.Publish(uint64(guild+1), edgetest.Volume("1"))
		}
		if _, err := fmt.Fprintln(in); err != nil {
			b.Fatal(err)
		}
		line, _ := said.ReadString('\n')
		var whole, longest float64
		if _, err := fmt.Sscan(line, &whole, &longest); err != nil {
			b.Fatalf("the clients said %q", line)
		}
		if err := clients.Wait(); err != nil {
			b.Fatal(err)
		}
		b.ReportMetric(float64(f.Replays())/stormGuilds, "reads/guild")
		b.ReportMetric(whole, "s-to-the-last")
		b.ReportMetric(longest, "s-longest")
		if f.Replays() > stormGuilds {
			b.Errorf("%d reads of the stream for %d guilds", f.Replays(), stormGuilds)
		}
		if longest > 10 {
			b.Error("a client was not recovered within 10 s of its reconnect")
		}
	}
}
