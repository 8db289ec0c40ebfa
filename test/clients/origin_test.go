package clients

import (
	"context"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"

	"github.com/pona-realtime/pona/pkg/engineio"
	"github.com/pona-realtime/pona/pkg/socketio"
)

// Pages of other origins in Chromium: one that is allowed connects with credentials, by polling and through
// the upgrade, and its requests bring the session's cookie; one that is not gets in by no transport.
func TestOriginsInChromium(t *testing.T) {
	allowed, foreign := page(t), page(t)
	asked := cookies{seen: map[string]map[string][2]int{}}
	server := socketio.NewServer(socketio.Options{Engine: engineio.Options{
		Cookie: &engineio.Cookie{},
		CORS:   &engineio.CORS{Origins: []string{allowed}, Credentials: true, EnforceOnWebSocket: true},
	}})
	server.Of("/").OnConnection(func(s *socketio.Socket) {
		s.On("cookies", func(e *socketio.Event) {
			var session string
			_ = e.Args[0].Decode(&session) // what it asks for shows in the answer
			_ = e.Ack(asked.of(session))
		})
	})
	site := httptest.NewServer(asked.count(server))
	t.Cleanup(func() {
		if err := server.Close(context.Background()); err != nil {
			t.Error(err)
		}
		site.Close()
	})
	for _, o := range run(t, "origin.js", site.URL, allowed, foreign) {
		t.Run(o.Name, o.check)
	}
	if n := server.Stats().Engine.OpenedWebSocket; n != 0 {
		t.Errorf("%d sessions began over WebSocket, which only the foreign page tried", n)
	}
}

// page is the origin of an empty page that has the official client beside it.
func page(t *testing.T) string {
	t.Helper()
	files := http.FileServer(http.Dir("js/node_modules/socket.io-client/dist"))
	site := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/" {
			w.Header().Set("Content-Type", "text/html")
			return
		}
		files.ServeHTTP(w, r)
	}))
	t.Cleanup(site.Close)
	return site.URL
}

// cookies counts a session's requests, by transport: those that brought its cookie, and the others.
type cookies struct {
	mu   sync.Mutex
	seen map[string]map[string][2]int // by session
}

func (c *cookies) count(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if sid := r.URL.Query().Get("sid"); sid != "" && r.Method != http.MethodOptions {
			c.add(sid, r)
		}
		next.ServeHTTP(w, r)
	})
}

func (c *cookies) add(sid string, r *http.Request) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.seen[sid] == nil {
		c.seen[sid] = map[string][2]int{}
	}
	transport, column := r.URL.Query().Get("transport"), 1
	if cookie, err := r.Cookie("io"); err == nil && cookie.Value == sid {
		column = 0
	}
	counts := c.seen[sid][transport]
	counts[column]++
	c.seen[sid][transport] = counts
}

// of says for each transport of a session whether all, some or none of its requests brought the cookie.
func (c *cookies) of(sid string) map[string]string {
	c.mu.Lock()
	defer c.mu.Unlock()
	out := map[string]string{}
	for transport, counts := range c.seen[sid] {
		switch {
		case counts[1] == 0:
			out[transport] = "all"
		case counts[0] == 0:
			out[transport] = "none"
		default:
			out[transport] = "some"
		}
	}
	return out
}
