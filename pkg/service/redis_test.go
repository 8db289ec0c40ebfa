package service

import (
	"context"
	"log/slog"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/pona-realtime/pona/pkg/health"
)

// TestRedisThatComesAndGoes starts a real redis-server after the watch, and ends it again.
func TestRedisThatComesAndGoes(t *testing.T) {
	binary, err := exec.LookPath("redis-server")
	if err != nil {
		t.Skip("no redis-server is installed (Debian: redis-server)")
	}
	socket := filepath.Join(t.TempDir(), "redis.sock")
	h := health.New()
	lines := make(lineLog, 100)
	r, err := NewRedis(RedisSettings{Redis: "unix://" + socket}, h.Condition("redis"), nil, slog.New(slog.NewTextHandler(lines, &slog.HandlerOptions{
		ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
			if a.Key != slog.MessageKey {
				return slog.Attr{}
			}
			return a
		},
	})))
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() { defer close(ended); r.Watch(ctx) }()
	lines.expect(t, "msg=\"Redis not reachable, trying again\"\n")
	if h.Ready() {
		t.Error("ready before Redis was there")
	}

	server := exec.Command(binary, "--port", "0", "--unixsocket", socket, "--save", "", "--dir", t.TempDir())
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	lines.expect(t, "msg=\"Redis connected\"\n")
	<-h.Once()

	_ = server.Process.Kill()
	_ = server.Wait()
	lines.expect(t, "msg=\"Redis not reachable, trying again\"\n")
	if !h.Ready() {
		t.Error("a cluster without Redis serves on, but is not ready")
	}
	stop()
	<-ended
	if err := r.Client.Close(); err != nil {
		t.Error(err)
	}
}

// TestTheLastReasonIsShown waits for a Redis that is not there, and then for one that does not let it in.
func TestTheLastReasonIsShown(t *testing.T) {
	binary, err := exec.LookPath("redis-server")
	if err != nil {
		t.Skip("no redis-server is installed (Debian: redis-server)")
	}
	socket := filepath.Join(t.TempDir(), "redis.sock")
	h := health.New()
	r, err := NewRedis(RedisSettings{Redis: "unix://" + socket}, h.Condition("redis"), nil, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() { defer close(ended); r.Watch(ctx) }()
	defer func() { stop(); <-ended; _ = r.Client.Close() }()
	expect := func(reason string) {
		t.Helper()
		tick, deadline := time.NewTicker(10*time.Millisecond), time.After(30*time.Second)
		defer tick.Stop()
		for missing := h.Missing(); len(missing) == 0 || !strings.Contains(missing[0].Reason, reason); missing = h.Missing() {
			select {
			case <-tick.C:
			case <-deadline:
				t.Fatalf("shows %v, want %q", missing, reason)
			}
		}
	}
	expect("no such file")
	server := exec.Command(binary, "--port", "0", "--unixsocket", socket, "--save", "", "--dir", t.TempDir(), "--requirepass", "a-secret")
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = server.Process.Kill(); _ = server.Wait() }()
	expect("NOAUTH")
}

func TestRedisURLIsChecked(t *testing.T) {
	if _, err := NewRedis(RedisSettings{Redis: "http://host"}, health.New().Condition("redis"), nil, slog.New(slog.DiscardHandler)); err == nil {
		t.Error("http is no Redis")
	}
}

// lineLog hands each line of a log to the test.
type lineLog chan string

func (l lineLog) Write(p []byte) (int, error) { l <- string(p); return len(p), nil }

func (l lineLog) expect(t *testing.T, want string) {
	t.Helper()
	select {
	case got := <-l:
		if got != want {
			t.Errorf("logged %q, want %q", got, want)
		}
	case <-time.After(20 * time.Second):
		t.Fatalf("waiting in vain for %q", want)
	}
}
