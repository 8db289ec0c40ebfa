package engineio

import (
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gorilla/websocket"
)

// survive lets an attack happen beside a client whose messages go on being answered, and then wants
// the server as it was: its sessions, the process's goroutines and heap.
func survive(t *testing.T, s *site, attack func()) {
	t.Helper()
	bystander := s.connect(t)
	write(t, bystander, "4and from now on")
	if got := next(t, bystander); got != "4and from now on" {
		t.Fatalf("the bystander got %q", got)
	}
	for len(s.opened) > 0 { // its own too
		<-s.opened
	}
	sessions, goroutines, heap := s.engine.Len(), runtime.NumGoroutine(), heapBytes()
	var over atomic.Bool
	var echoes int
	var beside sync.WaitGroup
	beside.Go(func() {
		for last := false; !last; echoes++ {
			last = over.Load() // once more when it is over
			if err := bystander.WriteMessage(websocket.TextMessage, []byte("4I am here")); err != nil {
				t.Error(err)
				return
			}
			for { // past the pings, which are answered
				_, data, err := bystander.ReadMessage()
				if err != nil {
					t.Errorf("the bystander lost its connection: %v", err)
					return
				}
				if string(data) != "2" {
					break
				}
				_ = bystander.WriteMessage(websocket.TextMessage, []byte("3"))
			}
			runtime.Gosched()
		}
	})
	attack()
	over.Store(true)
	beside.Wait()
	if echoes < 2 {
		t.Errorf("the bystander had %d echoes", echoes)
	}
	s.Client().CloseIdleConnections()
	waitFor(t, func() bool { return s.engine.Len() <= sessions })
	waitFor(t, func() bool { return runtime.NumGoroutine() <= goroutines+2 }) // net/http's timers
	waitFor(t, func() bool { return heapBytes() <= heap+4<<20 })
	if queued := s.engine.Stats().QueuedBytes; queued != 0 {
		t.Errorf("%d bytes are queued", queued)
	}
}

func heapBytes() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// hurried is a site whose patience ends soon, though not too soon for a client on a busy machine.
func hurried(t *testing.T, opts Options) *site {
	opts.PingInterval, opts.PingTimeout = 100*time.Millisecond, time.Second
	return serve(t, opts)
}

func TestMillionsOfTinyPackets(t *testing.T) {
	s := serve(t, Options{MaxPayload: 1e6})
	for name, packet := range map[string]string{"messages": "4\x1e", "noops": "6\x1e", "empty binaries": "b\x1e"} {
		t.Run(name, func(t *testing.T) {
			survive(t, s, func() {
				query := s.open(t)
				s.expect(t, "POST", query, strings.TrimSuffix(strings.Repeat(packet, 1e6/len(packet)), "\x1e"), reply{200, "ok"})
				s.do(t, "POST", query, "1")
			})
		})
	}
}

// TestSlowLoris sends a few bytes and no more: nothing outlives the session's patience.
func TestSlowLoris(t *testing.T) {
	s := hurried(t, Options{})
	requests := []string{
		"POST /engine.io/?%s HTTP/1.1\r\nHost: a\r\nContent-Length: 1000\r\n\r\n4",
		"POST /engine.io/?%s HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3e8\r\n4",
		"POST /engine.io/?%s0 HTTP/1.1\r\nHost: a\r\nContent-Length: 1000\r\n\r\n4", // no such session
		"GET /engine.io/?%s0 HTTP/1.1\r\nHost: a\r\nContent-Length: 1000\r\n\r\n4",
	}
	const mask = "\x00\x00\x00\x00"
	frames := []string{"", "\x81", "\x81\xfe\x10", "\x81\xfe\x10\x00" + mask + "4", "\x01\x81" + mask + "4"}
	survive(t, s, func() {
		for range 10 {
			for _, request := range requests {
				conn := s.rawRequest(t, fmt.Sprintf(request, s.open(t)))
				t.Cleanup(func() { _ = conn.Close() }) // the server does not wait for that
			}
		}
		var conns []*websocket.Conn
		for range 10 {
			for _, frame := range frames {
				conn := s.mustDial(t, fresh)
				if _, err := io.WriteString(conn.NetConn(), frame); err != nil {
					t.Error(err)
				}
				conns = append(conns, conn)
			}
		}
		waitFor(t, func() bool { return s.engine.Len() <= 1 })
		for _, conn := range conns {
			expectClose(t, conn, websocket.CloseNoStatusReceived)
			_ = conn.Close()
		}
	})
}

// TestEndlessFragments never completes a message: only its pongs would keep a session alive, and they
// cannot come in between.
func TestEndlessFragments(t *testing.T) {
	s := hurried(t, Options{})
	survive(t, s, func() {
		conn := s.mustDial(t, fresh)
		var flood sync.WaitGroup
		flood.Go(func() {
			empty := strings.Repeat("\x00\x80\x00\x00\x00\x00", 1000)
			_, err := io.WriteString(conn.NetConn(), "\x01\x80\x00\x00\x00\x00")
			for err == nil {
				_, err = io.WriteString(conn.NetConn(), empty)
			}
		})
		expectClose(t, conn, websocket.CloseNoStatusReceived)
		_ = conn.Close()
		flood.Wait()
	})
}

// TestClientsThatNeverPoll are gone with the pong that they owe, and what waited for them too.
func TestClientsThatNeverPoll(t *testing.T) {
	s := hurried(t, Options{})
	survive(t, s, func() {
		for range 100 {
			s.expect(t, "POST", s.open(t), "4"+strings.Repeat("x", 10_000), reply{200, "ok"})
		}
		waitFor(t, func() bool { return s.engine.Len() <= 1 })
	})
}

// TestPollThatIsNeverRead: a large answer is given up.
func TestPollThatIsNeverRead(t *testing.T) {
	s := hurried(t, Options{HTTPCompression: &HTTPCompression{Disabled: true}})
	survive(t, s, func() {
		query := s.open(t)
		session := s.engine.lookup(query[strings.LastIndex(query, "=")+1:])
		session.Send(NewFrame(Message{Data: make([]byte, 32<<20)})) // more than any kernel takes
		conn := s.rawRequest(t, "GET /engine.io/?"+query+" HTTP/1.1\r\nHost: a\r\n\r\n")
		waitFor(t, func() bool { return s.engine.Len() <= 1 })
		waitFor(t, func() bool { return session.Transport() == "polling" && !serving("writePoll") })
		_ = conn.Close()
	})
}

// serving tells whether any goroutine is in the function.
func serving(function string) bool {
	stacks := make([]byte, 1<<20)
	return strings.Contains(string(stacks[:runtime.Stack(stacks, true)]), function)
}

// TestPingFlood by a client that reads none of its pongs: they are bounded.
func TestPingFlood(t *testing.T) {
	s := serve(t, Options{MaxQueueFrames: 100})
	survive(t, s, func() {
		conn := s.connect(t)
		session := <-s.opened
		pings := []byte(strings.Repeat("\x89\xfd\x00\x00\x00\x00"+strings.Repeat("p", 125), 1000))
		flood := func() (waiting int) {
			if _, err := conn.NetConn().Write(pings); err != nil {
				t.Fatal(err)
			}
			ws := session.ws.Load()
			ws.mu.Lock()
			defer ws.mu.Unlock()
			return len(ws.queue.entries)
		}
		const bound = 200 // twice MaxQueueFrames
		for range 120 {   // 16 MB: more than the kernel takes, which adapts its buffers of up to 10
			if n := flood(); n > bound {
				t.Fatalf("%d pongs wait", n)
			}
		}
		waitFor(t, func() bool { return flood() == bound }) // the kernel may have taken all that waited, a moment ago
		_ = conn.Close()
	})
}

// TestUpgradeFlood opens hundreds of WebSockets for one session, one of which is its upgrade.
func TestUpgradeFlood(t *testing.T) {
	s := quietSite(t)
	survive(t, s, func() {
		query := s.open(t)
		var flood sync.WaitGroup
		var probed atomic.Int32
		for range 300 {
			flood.Go(func() {
				conn, _, err := s.dial(t, upgradeQuery(query))
				if err != nil {
					t.Error(err)
					return
				}
				_ = conn.WriteMessage(websocket.TextMessage, []byte("2probe"))
				if _, data, err := conn.ReadMessage(); err == nil && string(data) == "3probe" {
					probed.Add(1)
				}
				_ = conn.Close()
			})
		}
		flood.Wait()
		if n := probed.Load(); n < 1 {
			t.Errorf("%d probes were answered", n)
		}
		s.expect(t, "POST", query, "4still there", reply{200, "ok"})
		s.expect(t, "GET", query, "", reply{200, "4still there"})
		s.expect(t, "POST", query, "1", reply{200, "ok"})
	})
}

// TestControlFrameAbuse breaks RFC 6455 in each way that a control frame or a length can.
func TestControlFrameAbuse(t *testing.T) {
	const mask = "\x00\x00\x00\x00"
	tests := []struct {
		name, bytes string
		code        int
	}{
		{"a ping of 126 bytes", "\x89\xfe\x00\x7e" + mask + strings.Repeat("p", 126), 1002},
		{"a ping in fragments", "\x09\x80" + mask, 1002},
		{"a close of one byte", "\x88\x81" + mask + "\x03", 1005},
		{"a close with a code that is none", "\x88\x82" + mask + "\x03\xed", 1002}, // 1005
		{"a close with invalid UTF-8", "\x88\x83" + mask + "\x03\xe8\xff", 1002},
		{"a continuation of nothing", "\x80\x80" + mask, 1002},
		{"a message inside another", "\x01\x81" + mask + "4\x81\x81" + mask + "4", 1002},
		{"RSV2", "\xa1\x81" + mask + "4", 1002},
		{"RSV3", "\x91\x81" + mask + "4", 1002},
		{"a reserved control opcode", "\x8b\x80" + mask, 1002},
		{"a length of 2^62", "\x82\xff" + string(binary.BigEndian.AppendUint64(nil, 1<<62)) + mask, 1009},
		{"fragments that add up", "\x01\xff" + string(binary.BigEndian.AppendUint64(nil, 1e6)) + mask + strings.Repeat("4", 1e6) + "\x80\x81" + mask + "4", 1009},
	}
	s := quietSite(t)
	survive(t, s, func() {
		for _, tt := range tests {
			t.Run(tt.name, func(t *testing.T) {
				conn := s.connect(t)
				if _, err := io.WriteString(conn.NetConn(), tt.bytes); err != nil {
					t.Fatal(err)
				}
				expectClose(t, conn, tt.code)
				_ = conn.Close()
				if reason := <-s.ended; reason != ReasonTransportError && tt.code != 1005 {
					t.Errorf("ended with %q", reason)
				}
			})
		}
	})
}

// TestInvalidUTF8InPosts is made valid: an echo of it must not end another client's WebSocket.
func TestInvalidUTF8InPosts(t *testing.T) {
	s := quietSite(t)
	query := s.open(t)
	s.expect(t, "POST", query, "4a\xff\xfeb\x1e4\xe2\x82", reply{200, "ok"})
	s.expect(t, "GET", query, "", reply{200, "4a\uFFFDb\x1e4\uFFFD"})
}

// TestGuessedSids: ids are 120 random bits, and a wrong one costs nothing.
func TestGuessedSids(t *testing.T) {
	s := quietSite(t)
	seen := map[string]bool{}
	survive(t, s, func() {
		for range 500 {
			id := NewID()
			if len(id) != 20 || strings.Trim(id, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-") != "" || seen[id] {
				t.Fatalf("id %q", id)
			}
			seen[id] = true
			s.expect(t, http.MethodPost, "EIO=4&transport=polling&sid="+id, "4a", reply{400, unknownSession})
		}
		s.expectRefusedWebSocket(t, fresh+"&sid="+NewID(), nil, "Session ID unknown")
	})
}

// TestHalfOpenHandshakes never send all of their request: only net/http sees them.
func TestHalfOpenHandshakes(t *testing.T) {
	s := quietSite(t)
	web := httptest.NewUnstartedServer(s.engine)
	web.Config.ReadHeaderTimeout = 100 * time.Millisecond
	web.Start()
	defer web.Close()
	survive(t, s, func() {
		var conns []net.Conn
		for range 50 {
			conns = append(conns, (&site{Server: web}).rawRequest(t, "GET /engine.io/?EIO=4&transport=polling HTTP/1.1\r\nHost: a\r\nX-Slow: "))
		}
		for _, conn := range conns {
			_ = conn.SetReadDeadline(time.Now().Add(20 * time.Second))
			if _, err := io.Copy(io.Discard, conn); err != nil {
				t.Errorf("the server keeps a half request: %v", err)
			}
		}
	})
}
