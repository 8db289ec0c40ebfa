package proxy

import (
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/gorilla/websocket"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// edge answers with its name and the host it was asked for, and echoes WebSocket messages behind it.
func edge(t *testing.T, name string) *url.URL {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !websocket.IsWebSocketUpgrade(r) {
			io.WriteString(w, name+" "+r.Host+" "+r.Header.Get("X-Forwarded-For"))
			return
		}
		upgrader := websocket.Upgrader{CheckOrigin: func(*http.Request) bool { return true }}
		conn, err := upgrader.Upgrade(w, r, nil)
		if err != nil {
			return
		}
		defer conn.Close()
		for {
			kind, message, err := conn.ReadMessage()
			if err != nil {
				return
			}
			if conn.WriteMessage(kind, append([]byte(name+" "), message...)) != nil {
				return
			}
		}
	}))
	t.Cleanup(s.Close)
	u, err := url.Parse(s.URL)
	if err != nil {
		t.Fatal(err)
	}
	return u
}

func start(t *testing.T, targets ...*url.URL) string {
	p := New(slog.New(slog.DiscardHandler))
	if len(targets) > 0 {
		p.SetTargets(targets)
	}
	s := httptest.NewServer(p)
	t.Cleanup(func() {
		s.Close()
		p.Wait()
	})
	return s.URL
}

func TestRequestsTakeTurns(t *testing.T) {
	base := start(t, edge(t, "a"), edge(t, "b"))
	host := strings.TrimPrefix(base, "http://")
	for _, want := range []string{"a", "b", "a", "b"} {
		response, err := http.Get(base + "/socket.io/?sid=same")
		if err != nil {
			t.Fatal(err)
		}
		body, _ := io.ReadAll(response.Body)
		response.Body.Close()
		if got := string(body); got != want+" "+host+" 127.0.0.1" {
			t.Errorf("answered %q, want edge %s, our host and the client's address", got, want)
		}
	}
	http.DefaultClient.CloseIdleConnections()
}

func TestWebSocketPassesThrough(t *testing.T) {
	base := start(t, edge(t, "a"))
	conn, _, err := websocket.DefaultDialer.Dial("ws"+strings.TrimPrefix(base, "http"), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if err := conn.WriteMessage(websocket.TextMessage, []byte("hello")); err != nil {
		t.Fatal(err)
	}
	if _, message, err := conn.ReadMessage(); string(message) != "a hello" {
		t.Errorf("%q, %v", message, err)
	}
}

func TestEdgeThatIsGoneIsABadGateway(t *testing.T) {
	gone := httptest.NewServer(http.NotFoundHandler())
	target, err := url.Parse(gone.URL)
	if err != nil {
		t.Fatal(err)
	}
	gone.Close()
	response, err := http.Get(start(t, target))
	if err != nil {
		t.Fatal(err)
	}
	response.Body.Close()
	if response.StatusCode != http.StatusBadGateway {
		t.Errorf("status %d, want 502", response.StatusCode)
	}
	http.DefaultClient.CloseIdleConnections()
}

func TestBeforeEdgesRunTheServiceIsUnavailable(t *testing.T) {
	response, err := http.Get(start(t))
	if err != nil {
		t.Fatal(err)
	}
	response.Body.Close()
	if response.StatusCode != http.StatusServiceUnavailable {
		t.Errorf("status %d, want 503", response.StatusCode)
	}
	http.DefaultClient.CloseIdleConnections()
}
