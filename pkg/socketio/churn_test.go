package socketio

import (
	"fmt"
	"math/rand/v2"
	"os"
	"regexp"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// TestChurn lets clients come, join, emit, leave, upgrade, get lost and come back, all at random and at
// the same time, for PONA_CHURN (a duration such as 10m; one second without it). Nothing may be left.
func TestChurn(t *testing.T) {
	duration := time.Second
	if churn := os.Getenv("PONA_CHURN"); churn != "" {
		var err error
		if duration, err = time.ParseDuration(churn); err != nil {
			t.Fatalf("PONA_CHURN: %v", err)
		}
	}
	var joined, ended atomic.Int64
	memory := NewMemoryRecovery(MemoryRecoveryOptions{MaxDisconnectionDuration: 50 * time.Millisecond, MaxPackets: 100})
	srv, address := listen(t, Options{Recovery: memory, NamespaceLinger: 10 * time.Millisecond}, func(s *Server) {
		serve := func(s *Socket) {
			joined.Add(1)
			s.OnDisconnect(func(string) { ended.Add(1) })
			churnHandlers(s)
		}
		s.Of("/").OnConnection(serve)
		guilds := s.OfRegexp(regexp.MustCompile(`^/guild/\d$`))
		guilds.OnConnection(serve)
		guilds.Use(func(s *Socket) error {
			s.Join("before")
			if rand.IntN(8) == 0 {
				return fmt.Errorf("not today")
			}
			return nil
		})
	})
	goroutines, heap := runtime.NumGoroutine(), heapInUse()

	stop := time.Now().Add(duration)
	var wg sync.WaitGroup
	wg.Go(func() { // a server that has something to say
		tick := time.NewTicker(time.Millisecond)
		defer tick.Stop()
		for time.Now().Before(stop) {
			<-tick.C
			for _, n := range []*Namespace{srv.Of("/"), srv.Lookup("/guild/1"), srv.Lookup("/guild/2")} {
				if n != nil {
					_ = n.To("a", "b").Except("c").Emit("news", "text", []byte{1})
					_ = n.Volatile().Emit("maybe")
					n.To("c").SocketsLeave("c")
				}
			}
		}
	})
	for i := range 8 {
		wg.Go(func() {
			r := rand.New(rand.NewPCG(uint64(i), 0))
			for time.Now().Before(stop) {
				churn(t, r, address)
			}
		})
	}
	wg.Wait()

	deadline := time.Now().Add(patience)
	for !time.Now().After(deadline) {
		stats := srv.Stats()
		if srv.Len() == 0 && stats.Sockets == 0 && stats.Rooms == 0 && stats.Namespaces == 1 && joined.Load() == ended.Load() &&
			runtime.NumGoroutine() <= goroutines && heapInUse() < heap+8<<20 {
			t.Logf("%d sockets have come and gone, %d of them recovered", joined.Load(), stats.Recovered)
			return
		}
		runtime.Gosched()
	}
	t.Errorf("left after %d joins and %d ends: %d connections, %d goroutines over %d, %d bytes over %d, %+v",
		joined.Load(), ended.Load(), srv.Len(), runtime.NumGoroutine(), goroutines, heapInUse(), heap, srv.Stats())
}

// churnHandlers do what clients ask for.
func churnHandlers(s *Socket) {
	s.On("join", func(e *Event) { s.Join("a", "b", "c"); _ = e.Ack() })
	s.On("leave", func(e *Event) { s.Leave("a"); _ = e.Ack() })
	s.On("to", func(e *Event) { _ = s.To("b").Emit("said", e.Args[0].JSON()); _ = e.Ack() })
	s.On("out", func(*Event) { s.Disconnect(false) })
	s.On("away", func(*Event) { s.Disconnect(true) })
	s.On("interrupt", func(*Event) { s.Interrupt() })
}

// churn is one client's life, and its second one where it comes back. Errors are ends that the server
// has brought about.
func churn(t *testing.T, r *rand.Rand, address string) {
	open := []func(*testing.T, string) transport{dialWebSocket, dialPolling, dialUpgraded}[r.IntN(3)]
	prefix := []string{"", "/guild/1,", "/guild/2,"}[r.IntN(3)]
	connect := "0" + prefix
	for range 1 + r.IntN(2) {
		c := open(t, address)
		pid := live(c, r, prefix, connect)
		switch r.IntN(3) {
		case 0:
			c.lose()
			if _, ok := c.(*polling); ok { // which the server learns only from silence
				_ = c.Close()
			}
		case 1:
			_ = c.write(false, []byte("1"+prefix))
			_ = c.Close()
		default:
			_ = c.Close()
		}
		connect = "0" + prefix + `{"pid":"` + pid + `"}`
	}
}

// live joins and does a few things, and returns the socket's pid where it has got one.
func live(c transport, r *rand.Rand, prefix, connect string) (pid string) {
	if c.write(false, []byte(connect)) != nil {
		return ""
	}
	for {
		b, err := c.read()
		if err != nil {
			return ""
		}
		text := string(b)
		if strings.HasPrefix(text, "4") {
			return ""
		}
		if _, after, ok := strings.Cut(text, `"pid":"`); ok && strings.HasPrefix(text, "0") {
			pid, _, _ = strings.Cut(after, `"`)
			break
		}
	}
	for range r.IntN(6) {
		event := []string{"join", "leave", "to", "out", "away", "interrupt"}[r.IntN(6)]
		if c.write(false, fmt.Appendf(nil, `2%s1["%s",%d]`, prefix, event, r.IntN(100))) != nil {
			return pid
		}
		switch event {
		case "out":
			return pid
		case "away", "interrupt":
			for { // a polling session waits for its client to fetch the end
				if _, err := c.read(); err != nil {
					return pid
				}
			}
		}
		for { // its acknowledgement, after whatever else there is
			b, err := c.read()
			if err != nil {
				return pid
			}
			if strings.HasPrefix(string(b), "3"+prefix) {
				break
			}
		}
	}
	return pid
}
