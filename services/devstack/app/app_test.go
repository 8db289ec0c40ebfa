package app

import (
	"context"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"
)

// small is a stack with default settings on ports of its own.
func small(t *testing.T) Settings {
	s, err := parse(t)
	if err != nil {
		t.Fatal(err)
	}
	s.Listen, s.GRPC = "127.0.0.1:0", "127.0.0.1:0"
	return s
}

// runStack runs a stack and returns its address, and a function that ends it and returns how it ended.
func runStack(t *testing.T, s Settings) (string, func() error) {
	t.Helper()
	a, err := New(s, slog.New(slog.NewTextHandler(t.Output(), nil)))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- a.Run(ctx) }()
	end := func() error {
		cancel()
		return <-ended
	}
	select {
	case <-a.Ready():
	case err := <-ended:
		cancel()
		t.Fatalf("ended before it was ready: %v", err)
	case <-time.After(time.Minute):
		t.Fatalf("not ready within a minute; ended with %v", end())
	}
	return a.Addr(), end
}

func get(t *testing.T, url string) (int, string) {
	t.Helper()
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	response, err := client.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response.StatusCode, string(body)
}

func TestStackServesAndLeavesNothing(t *testing.T) {
	addr, end := runStack(t, small(t))
	if code, body := get(t, "http://"+addr+"/v1/socket"); code != 200 || !strings.Contains(body, `"OK"`) {
		t.Errorf("/v1/socket: %d %s", code, body)
	}
	if code, body := get(t, "http://"+addr+"/socket.io/?EIO=4&transport=polling"); code != 200 || !strings.HasPrefix(body, `0{"sid":"`) {
		t.Errorf("handshake: %d %s", code, body)
	}
	if code, _ := get(t, "http://"+addr+"/config.json"); code != 200 && code != 503 { // 503: the page is not built
		t.Errorf("page: %d", code)
	}
	if err := end(); err != nil {
		t.Errorf("ended with %v", err)
	}
	// goleak in TestMain looks for what is left.
}

func TestStoppedWhileStarting(t *testing.T) {
	a, err := New(small(t), slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := a.Run(ctx); err != nil {
		t.Errorf("ended with %v", err)
	}
}

func TestPortInUseIsSaidAtOnce(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	s := small(t)
	s.Listen = l.Addr().String()
	if _, err := New(s, slog.New(slog.DiscardHandler)); err == nil || !strings.Contains(err.Error(), "--listen") || !strings.Contains(err.Error(), "address already in use") {
		t.Errorf("New: %v", err)
	}
	s = small(t)
	s.GRPC = l.Addr().String()
	a, err := New(s, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	if err := a.Run(t.Context()); err == nil || !strings.Contains(err.Error(), "address already in use") {
		t.Errorf("Run: %v", err)
	}
}
