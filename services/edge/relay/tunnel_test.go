package relay

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"runtime"
	"testing"
	"time"
)

// upgraded is a client's connection that a carries to b's engine, which has completed the upgrade.
func upgraded(t testing.TB, a *edge, sid string) (net.Conn, *bufio.Reader) {
	t.Helper()
	conn, err := net.Dial("tcp", a.address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	_, _ = fmt.Fprintf(conn, "GET /socket.io/?sid=%s HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n", sid)
	reader := bufio.NewReader(conn)
	response, err := http.ReadResponse(reader, nil)
	if err != nil || response.StatusCode != http.StatusSwitchingProtocols {
		t.Fatalf("%v, %v", response, err)
	}
	return conn, reader
}

// upgrade is an engine that accepts a WebSocket, and leaves the rest to serve.
func upgrade(t testing.TB, serve func(net.Conn)) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		conn, _, err := http.NewResponseController(w).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		_, _ = io.WriteString(conn, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n")
		serve(conn)
	}
}

// carried is what a tunnel between a and b's engine connects: the client's end and the owner's.
func carried(t *testing.T, a, b *edge) (client net.Conn, reader *bufio.Reader, owner net.Conn) {
	t.Helper()
	owners := make(chan net.Conn, 1)
	b.engine = upgrade(t, func(conn net.Conn) {
		t.Cleanup(func() { _ = conn.Close() })
		owners <- conn
	})
	client, reader = upgraded(t, a, b.id(t))
	owner = <-owners
	for _, end := range []net.Conn{client, owner} {
		_ = end.SetDeadline(time.Now().Add(10 * time.Second))
	}
	return client, reader, owner
}

// gone waits until a has no tunnel any more.
func (e *edge) gone(t *testing.T) {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); e.Len() > 0; <-time.After(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%d WebSockets are still carried", e.Len())
		}
	}
}

// TestWebSocketsAreCarried whole, either way, and to their last words.
func TestWebSocketsAreCarried(t *testing.T) {
	a, b := newEdge(t, secretA), newEdge(t, secretA)
	client, reader, owner := carried(t, a, b)
	if a.Len() != 1 || b.Len() != 0 {
		t.Errorf("%d and %d WebSockets are carried", a.Len(), b.Len())
	}
	up, down := bytes.Repeat([]byte("up"), 1<<20), bytes.Repeat([]byte("down"), 1<<20)
	send := func(to net.Conn, what []byte) {
		_, err := to.Write(what)
		if err == nil {
			err = to.(*net.TCPConn).CloseWrite()
		}
		if err != nil {
			t.Error(err)
		}
	}
	receive := func(from io.Reader, what []byte) {
		t.Helper()
		if got, err := io.ReadAll(from); err != nil || !bytes.Equal(got, what) {
			t.Errorf("%d bytes of %d came, or others, and %v", len(got), len(what), err)
		}
	}
	go send(client, up)
	receive(owner, up) // the client has ended; the owner goes on
	go send(owner, down)
	receive(reader, down)
	a.gone(t)
}

// TestWhatComesEarlyIsCarried too: with the request, and with the answer.
func TestWhatComesEarlyIsCarried(t *testing.T) {
	a, b := newEdge(t, secretA), newEdge(t, secretA)
	heard := make(chan string, 1)
	b.engine = func(w http.ResponseWriter, r *http.Request) {
		conn, buffered, err := http.NewResponseController(w).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		defer conn.Close() //nolint:errcheck // a test's
		_, _ = io.WriteString(conn, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nX-Own: 1\r\n\r\nwelcome")
		early := make([]byte, len("early"))
		_, _ = io.ReadFull(buffered, early)
		heard <- string(early) + " " + r.RemoteAddr + " " + r.UserAgent() + r.Header.Get(passHeader)
	}
	conn, err := net.Dial("tcp", a.address)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close() //nolint:errcheck // a test's
	_ = conn.SetDeadline(time.Now().Add(10 * time.Second))
	_, _ = fmt.Fprintf(conn, "GET /socket.io/?sid=%s HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\nearly", b.id(t))
	reader := bufio.NewReader(conn)
	response, err := http.ReadResponse(reader, nil)
	if err != nil || response.StatusCode != 101 || response.Header.Get("X-Own") != "1" || response.Header.Get("Upgrade") != "websocket" || response.Header.Get("Connection") != "Upgrade" {
		t.Fatalf("%v, %v", response, err)
	}
	if rest, err := io.ReadAll(reader); err != nil || string(rest) != "welcome" {
		t.Errorf("%q, %v", rest, err)
	}
	if got, want := <-heard, "early "+conn.LocalAddr().String()+" "; got != want {
		t.Errorf("the owner has %q, want %q", got, want)
	}
}

// TestRefusedUpgradesAreAnswered in the owner's words, or by the local engine where there is no owner.
func TestRefusedUpgradesAreAnswered(t *testing.T) {
	a, b := newEdge(t, secretA), newEdge(t, secretA)
	b.engine = func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("X-Own", "1")
		w.WriteHeader(http.StatusBadRequest)
		_, _ = io.WriteString(w, "no")
	}
	a.engine = func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusTeapot) }
	conn, err := net.Dial("tcp", a.address)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close() //nolint:errcheck // a test's
	_ = conn.SetDeadline(time.Now().Add(10 * time.Second))
	reader := bufio.NewReader(conn)
	for _, test := range []struct {
		sid  string
		code int
		body string
	}{{b.id(t), 400, "no"}, {sealedFor(t, "127.0.0.1:1"), 418, ""}, {b.id(t), 400, "no"}} {
		_, _ = fmt.Fprintf(conn, "GET /socket.io/?sid=%s HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n", test.sid)
		response, err := http.ReadResponse(reader, nil)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(response.Body)
		if err != nil || response.StatusCode != test.code || string(body) != test.body || (response.Header.Get("X-Own") == "1") != (test.code == 400) {
			t.Errorf("%v %q, %v, want %d", response, body, err, test.code)
		}
	}
}

// TestARefusalThatNeverEnds is given up: an owner that stands still holds nobody for long.
func TestARefusalThatNeverEnds(t *testing.T) {
	a, b := newEdge(t, secretA), newEdge(t, secretA)
	a.lingerTimeout = 100 * time.Millisecond
	b.engine = func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Length", "10")
		w.WriteHeader(http.StatusBadRequest)
		_ = http.NewResponseController(w).Flush()
		<-r.Context().Done()
	}
	conn, err := net.Dial("tcp", a.address)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close() //nolint:errcheck // a test's
	_ = conn.SetDeadline(time.Now().Add(10 * time.Second))
	_, _ = fmt.Fprintf(conn, "GET /socket.io/?sid=%s HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n", b.id(t))
	if _, err := io.ReadAll(conn); errors.Is(err, os.ErrDeadlineExceeded) {
		t.Error("the client still waits")
	}
}

// TestWebSocketsAreCut when the relay closes, an end breaks off, takes nothing, or goes on when the other has ended.
func TestWebSocketsAreCut(t *testing.T) {
	for name, cut := range map[string]func(a *edge, client, owner net.Conn){
		"the relay closes":       func(a *edge, _, _ net.Conn) { a.Close() },
		"the client breaks off":  func(_ *edge, client, _ net.Conn) { _ = client.(*net.TCPConn).SetLinger(0); _ = client.Close() },
		"the owner breaks off":   func(_ *edge, _, owner net.Conn) { _ = owner.(*net.TCPConn).SetLinger(0); _ = owner.Close() },
		"the owner has ended":    func(_ *edge, _, owner net.Conn) { _ = owner.(*net.TCPConn).CloseWrite() },
		"the client has ended":   func(_ *edge, client, _ net.Conn) { _ = client.(*net.TCPConn).CloseWrite() },
		"the client never reads": func(_ *edge, _, owner net.Conn) { _, _ = owner.Write(make([]byte, 32<<20)) },
		"the owner never reads":  func(_ *edge, client, _ net.Conn) { _, _ = client.Write(make([]byte, 32<<20)) },
	} {
		t.Run(name, func(t *testing.T) {
			a, b := newEdge(t, secretA), newEdge(t, secretA)
			a.stallTimeout, a.lingerTimeout = 100*time.Millisecond, 100*time.Millisecond
			client, reader, owner := carried(t, a, b)
			cut(a, client, owner)
			a.gone(t)
			_, errClient := io.Copy(io.Discard, reader)
			_, errOwner := io.Copy(io.Discard, owner)
			for _, err := range []error{errClient, errOwner} {
				if errors.Is(err, os.ErrDeadlineExceeded) {
					t.Error("an end was not told")
				}
			}
		})
	}
}

// TestDrainEndsAllThatIsCarried at its pace.
func TestDrainEndsAllThatIsCarried(t *testing.T) {
	a, b := newEdge(t, secretA), newEdge(t, secretA)
	var readers []*bufio.Reader
	for range 5 {
		_, reader, _ := carried(t, a, b)
		readers = append(readers, reader)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if moved := a.Drain(ctx, 1); moved != 0 {
		t.Errorf("%d were ended after the end", moved)
	}
	began := time.Now()
	if moved := a.Drain(t.Context(), 100); moved != len(readers) {
		t.Errorf("%d were ended", moved)
	}
	if took := time.Since(began); took < 40*time.Millisecond {
		t.Errorf("all were ended within %s", took)
	}
	a.gone(t)
	for _, reader := range readers {
		if _, err := reader.ReadByte(); err == nil || errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("a client was not told: %v", err)
		}
	}
}

// BenchmarkTunnel has WebSockets carried from one edge to another: what an idle one takes, with both its ends, and
// what a message and its echo cost, and would cost without.
func BenchmarkTunnel(b *testing.B) {
	a, owner := newEdge(b, secretA), newEdge(b, secretA)
	b.Run("idle", func(b *testing.B) {
		owner.engine = upgrade(b, func(conn net.Conn) { b.Cleanup(func() { _ = conn.Close() }) })
		const tunnels = 1000
		memory := func() uint64 {
			runtime.GC()
			runtime.GC() // what pools hold goes with the second
			var m runtime.MemStats
			runtime.ReadMemStats(&m)
			return m.HeapAlloc + m.StackInuse
		}
		for b.Loop() {
			before := memory()
			for range tunnels {
				upgraded(b, a, owner.id(b))
				<-owner.asked
			}
			b.ReportMetric(float64(memory()-before)/tunnels, "bytes/tunnel")
		}
	})
	for name, at := range map[string]*edge{"echo": a, "echo without": owner} {
		b.Run(name, func(b *testing.B) {
			owner.engine = upgrade(b, func(conn net.Conn) { _, _ = io.Copy(conn, struct{ io.Reader }{conn}) })
			conn, reader := upgraded(b, at, owner.id(b))
			<-owner.asked
			message := make([]byte, 200)
			for b.Loop() {
				if _, err := conn.Write(message); err != nil {
					b.Fatal(err)
				}
				if _, err := io.ReadFull(reader, message); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
