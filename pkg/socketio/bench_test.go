package socketio

import (
	"context"
	"io"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/gorilla/websocket"

	"github.com/pona-realtime/pona/pkg/engineio"
)

// maxReceiveAllocs is what one event of a client may cost from its message to its listener.
const maxReceiveAllocs = 5

// received are events as clients send them.
var received = map[string]string{
	"plain":     `2["seek",12345]`,
	"namespace": `2/guild/1,["seek",12345]`,
	"object":    `2["add",{"uri":"https://example.com/a b","tags":["x","y"]}]`,
}

func TestReceiveAllocations(t *testing.T) {
	for name, text := range received {
		t.Run(name, func(t *testing.T) {
			handled := 0
			c := receiver(t, func(*Event) { handled++ })
			m := engineio.Message{Data: []byte(text)}
			allocs := testing.AllocsPerRun(100, func() { c.ReceiveMessage(m) })
			if allocs > maxReceiveAllocs {
				t.Errorf("%v allocations, at most %d", allocs, maxReceiveAllocs)
			}
			if handled < 100 {
				t.Errorf("%d events were handled", handled)
			}
		})
	}
}

func BenchmarkReceive(b *testing.B) {
	for name, text := range received {
		b.Run(name, func(b *testing.B) {
			c := receiver(b, func(*Event) {})
			m := engineio.Message{Data: []byte(text)}
			b.ReportAllocs()
			for b.Loop() {
				c.ReceiveMessage(m)
			}
		})
	}
}

// receiver is the server's side of a connection that is in "/" and "/guild/1".
func receiver(t testing.TB, handle func(*Event)) *connection {
	t.Helper()
	sockets := make(chan *Socket, 2)
	s := NewServer(Options{})
	for _, nsp := range []string{"/", "/guild/1"} {
		s.Of(nsp).OnConnection(func(s *Socket) {
			s.On("seek", handle)
			s.On("add", handle)
			sockets <- s
		})
	}
	web := httptest.NewServer(s)
	ws, _, err := websocket.DefaultDialer.Dial("ws"+strings.TrimPrefix(web.URL, "http")+"/socket.io/?EIO=4&transport=websocket", nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = ws.Close()
		if err := s.Close(context.Background()); err != nil {
			t.Error(err)
		}
		web.Close()
	})
	for _, packet := range []string{"40", "40/guild/1,"} {
		if err := ws.WriteMessage(websocket.TextMessage, []byte(packet)); err != nil {
			t.Fatal(err)
		}
	}
	<-sockets
	return (<-sockets).conn
}

// audience is clients of "/" that do nothing but read, and count the bytes.
type audience struct {
	server *Server
	size   int
	mu     sync.Mutex
	bytes  int64
	more   sync.Cond
}

func newAudience(t testing.TB, size int) *audience {
	t.Helper()
	a := &audience{server: NewServer(Options{}), size: size}
	a.more.L = &a.mu
	web := httptest.NewServer(a.server)
	var readers sync.WaitGroup
	var conns []*websocket.Conn
	for range size {
		ws, _, err := websocket.DefaultDialer.Dial("ws"+strings.TrimPrefix(web.URL, "http")+"/socket.io/?EIO=4&transport=websocket", nil)
		if err != nil {
			t.Fatal(err)
		}
		if err := ws.WriteMessage(websocket.TextMessage, []byte("40")); err != nil {
			t.Fatal(err)
		}
		for range 2 { // the handshake, and the answer to CONNECT
			if _, _, err := ws.ReadMessage(); err != nil {
				t.Fatal(err)
			}
		}
		conns = append(conns, ws)
		readers.Go(func() { _, _ = io.Copy(a, struct{ io.Reader }{ws.NetConn()}) })
	}
	t.Cleanup(func() {
		for _, ws := range conns {
			_ = ws.Close()
		}
		readers.Wait()
		if err := a.server.Close(context.Background()); err != nil {
			t.Error(err)
		}
		web.Close()
	})
	return a
}

func (a *audience) Write(p []byte) (int, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.bytes += int64(len(p))
	a.more.Broadcast()
	return len(p), nil
}

// await returns when all have received n bytes since the start.
func (a *audience) await(n int64) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for a.bytes < n*int64(a.size) {
		a.more.Wait()
	}
}

// An operation is one burst of events; the clock stops when the last client has the last of them.
func BenchmarkBroadcast(b *testing.B) {
	const size, body = 200, 200
	for _, burst := range []int{1, 4} {
		b.Run(map[int]string{1: "lone", 4: "four"}[burst], func(b *testing.B) {
			a := newAudience(b, size)
			text := strings.Repeat("x", body)
			wire := int64(len(`42["event",""]`) + body + 4) // a frame's header has four bytes
			var sent int64
			emit := func() {
				for range burst {
					_ = a.server.Of("/").Emit("event", text)
					sent++
				}
				a.await(sent * wire)
			}
			emit()
			b.ReportAllocs()
			for b.Loop() {
				emit()
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(size*burst), "ns/delivery")
		})
	}
}

// Events to a room cost no allocation for each of its sockets: less than one is left to the race
// detector, under which pools forget a part of what they are given.
func TestBroadcastAllocations(t *testing.T) {
	const size = 4 * fewSockets
	a := newAudience(t, size)
	text := strings.Repeat("x", 200)
	wire := int64(len(`42["event",""]`) + len(text) + 4)
	var sent int64
	perEvent := testing.AllocsPerRun(50, func() {
		_ = a.server.Of("/").Emit("event", text)
		sent++
		a.await(sent * wire)
	})
	if perDelivery := perEvent / size; perDelivery >= 1 {
		t.Errorf("%.2f allocations a delivery, %v an event", perDelivery, perEvent)
	}
}
