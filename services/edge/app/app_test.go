package app

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/pona-realtime/pona/services/edge/edgetest"
)

const guild100 = "/guild/100"

var quiet = slog.New(slog.DiscardHandler)

// local are the settings of an edge on loopback that believes everybody.
func local(t testing.TB) Settings {
	t.Helper()
	s := defaults(t)
	s.Listen, s.Admin, s.Auth = "127.0.0.1:0", "127.0.0.1:0", "insecure-dev"
	s.DrainDelay = 0
	s.ClusterKeys = []string{strings.Repeat("k", 32)}
	return s
}

// start runs an edge until the test ends; Run must then return nil.
func start(t testing.TB, s Settings, log *slog.Logger) *App {
	t.Helper()
	a, err := New(s, log)
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- a.Run(ctx) }()
	t.Cleanup(func() {
		stop()
		select {
		case err := <-ended:
			if err != nil {
				t.Errorf("Run: %v", err)
			}
		case <-time.After(30 * time.Second):
			t.Error("Run does not return")
		}
	})
	return a
}

// started is start, and waits until the edge is ready.
func started(t testing.TB, s Settings) *App {
	t.Helper()
	a := start(t, s, quiet)
	await(t, a.Ready())
	return a
}

func await(t testing.TB, c <-chan struct{}) {
	t.Helper()
	select {
	case <-c:
	case <-time.After(edgetest.Patience):
		t.Fatal("waiting in vain")
	}
}

// withFanout starts a fanout that plays itself, and adds it to the settings.
func withFanout(t testing.TB, s *Settings) (*edgetest.Fanout, *edgetest.Player) {
	t.Helper()
	f := edgetest.StartFanout(t)
	s.Fanouts = []string{f.Addr()}
	return f, f.Play(t)
}

// as is the CONNECT payload of a user of insecure-dev.
func as(user int) string { return fmt.Sprintf(`{"type":"Bearer","key":"user:%d"}`, user) }

func get(t *testing.T, url string) (int, string) {
	t.Helper()
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: edgetest.Patience}
	response, err := client.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close() //nolint:errcheck // only read from
	body, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response.StatusCode, string(body)
}

func TestReadyWhenConnected(t *testing.T) {
	s := local(t)
	f := edgetest.StartFanout(t)
	s.Fanouts = []string{f.Addr()}
	a := start(t, s, quiet)
	want := func(code int, status, missing string) {
		t.Helper()
		if got, body := get(t, "http://"+a.Addr()+"/v1/socket"); got != code || body != status {
			t.Errorf("/v1/socket: %d %s", got, body)
		}
		if got, body := get(t, "http://"+a.AdminAddr()+"/readyz"); got != code || !strings.Contains(body, missing) {
			t.Errorf("/readyz: %d %s", got, body)
		}
		if got, _ := get(t, "http://"+a.AdminAddr()+"/healthz"); got != 200 {
			t.Errorf("/healthz: %d", got)
		}
	}
	stream := f.Accept(t) // the edge runs, and nothing has been said yet
	want(503, `{"message":"Service Unavailable"}`, "none of ["+f.Addr()+"] is connected")
	stream.Owned(0, 0)
	await(t, a.Ready())
	want(200, `{"message":"OK"}`, "ready")
	for _, path := range []string{"/", "/v1/other", "/socket.io", "/healthz"} {
		if code, _ := get(t, "http://"+a.Addr()+path); code != 404 && path != "/socket.io" {
			t.Errorf("%s: %d", path, code)
		}
	}
}

func TestARedisIsConnected(t *testing.T) {
	s := local(t)
	withFanout(t, &s)
	s.Redis = edgetest.StartRedis(t)
	started(t, s)
}

func TestAnUnreachableRedisIsWaitedFor(t *testing.T) {
	s := local(t)
	withFanout(t, &s)
	s.Redis = "redis://127.0.0.1:1"
	log := logOf("Redis not reachable")
	a := start(t, s, slog.New(slog.NewTextHandler(log, nil)))
	await(t, log.told)
	select {
	case <-a.Ready():
		t.Error("ready without Redis")
	default:
	}
	if code, body := get(t, "http://"+a.AdminAddr()+"/readyz"); code != 503 || !strings.Contains(body, "redis") {
		t.Errorf("%d %s", code, body)
	}
}

// logged is a log that a test reads while it is written.
type logged struct {
	told chan struct{} // closed once it contains awaited

	mu      sync.Mutex
	awaited string
	text    strings.Builder
}

func logOf(awaited string) *logged { return &logged{told: make(chan struct{}), awaited: awaited} }

func (l *logged) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	before := strings.Contains(l.text.String(), l.awaited)
	l.text.Write(p)
	if !before && strings.Contains(l.text.String(), l.awaited) {
		close(l.told)
	}
	return len(p), nil
}

func (l *logged) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

func TestRootNamespace(t *testing.T) {
	s := local(t)
	withFanout(t, &s)
	c := edgetest.DialWebSocket(t, started(t, s).Addr())
	c.Connect("/", "")
	id := c.Joined("/")
	c.Want(edgetest.Event, "/", `["hello","socket `+id+`"]`)
	c.Emit("/", "ping")
	c.Want(edgetest.Event, "/", `["pong","Pong!"]`)
	c.Emit("/", "help")
	if name, args := c.Event("/"); name != "help" || len(args) != 1 || !strings.Contains(string(args[0]), id) || !strings.Contains(string(args[0]), "ping") {
		t.Errorf("%s %s", name, args)
	}
	c.EmitWithAck("/", "nonsense", `1`)
	c.Want(edgetest.Ack, "/", `[{"status":"error","reason":"unknown event"}]`)
	c.Connect("/guild/x", as(1))
	c.Want(edgetest.ConnectError, "/guild/x", `{"message":"Invalid namespace"}`)
}

func TestJoinAndListen(t *testing.T) {
	for name, dial := range map[string]func(t *testing.T, a *App) *edgetest.Client{
		"websocket": func(t *testing.T, a *App) *edgetest.Client { return edgetest.DialWebSocket(t, a.Addr()) },
		"polling":   func(t *testing.T, a *App) *edgetest.Client { return edgetest.DialPolling(t, []string{a.Addr()}) },
	} {
		t.Run(name, func(t *testing.T) {
			s := local(t)
			_, p := withFanout(t, &s)
			a := started(t, s)
			p.Publish(100, edgetest.Channel("5"))
			p.Publish(100, edgetest.Volume("9223372036854776000"))
			c := dial(t, a)
			c.Connect(guild100, as(1))
			c.Joined(guild100)
			if shown := c.Handshake(guild100); !strings.Contains(shown, `"volume":9223372036854776000,`) {
				t.Error(shown)
			}
			p.Publish(100, edgetest.Volume("1.50"))
			c.Want(edgetest.Event, guild100, `["volume_updated",1.50]`)
			p.Publish(100, edgetest.Position("12.25"))
			c.Want(edgetest.Event, guild100, `["track_pos_updated",12.25]`)
			p.Publish(101, edgetest.Volume("66"))
			p.Publish(100, edgetest.Volume("2"))
			c.Want(edgetest.Event, guild100, `["volume_updated",2]`)
		})
	}
}
