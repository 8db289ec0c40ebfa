package app

import (
	"context"
	"log/slog"
	"testing"

	"github.com/pona-realtime/pona/pkg/adapter/redistest"
	"github.com/pona-realtime/pona/pkg/settings"
	"github.com/pona-realtime/pona/services/devstack/app"
)

// stack runs two edges, a fanout and NATS in this process.
func stack(t *testing.T) (url, fanout, redis string) {
	t.Helper()
	redis = redistest.Start(t).Addr()
	var s app.Settings
	if err := settings.Defaults(&s); err != nil {
		t.Fatal(err)
	}
	s.Listen, s.GRPC, s.Redis, s.Bot = "127.0.0.1:0", "127.0.0.1:0", redis, false
	a, err := app.New(s, slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelWarn})))
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- a.Run(ctx) }()
	t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	select {
	case <-a.Ready():
	case err := <-ended:
		ended <- err
		t.Fatal(err)
	}
	return "http://" + a.Addr(), a.GRPCAddr(), "redis://" + redis
}

// A guild's events come through a fanout, so clients that are cut come back with nothing lost.
func TestEveryScenarioAgainstAnEdge(t *testing.T) {
	t.Parallel() // it mostly waits
	url, fanout, redis := stack(t)
	listener := []string{"--url", url, "--clients", "20", "--rate", "0", "--auth", `{"type":"Bearer","key":"user:1{n}"}`, "--namespace", "/guild/1,/guild/2",
		"--events", "20", "--event-rate", "50", "--for", "1s", "--reconnects", "30", "--backoff", "20ms", "--backoff-max", "100ms",
		"--ready-event", "handshake", "--jitter-every", "1s", "--jitter-stall", "100ms", "--jitter-cut", "0.3", "--rooms", "10,30"}
	m := bench(t, append(listener, "--scenario", "all", "--pona-fanout", fanout)...)
	if len(m.Results) != 10 {
		t.Fatalf("%d results", len(m.Results))
	}
	for i := range m.Results {
		if r := &m.Results[i]; r.Skipped == "" && (len(r.Failures) != 0 || r.Figures["clients_failed"] != 0) {
			t.Errorf("%s: %+v", r.Scenario, r)
		}
	}
	m.Results[0].want(t, "clients", 20)
	m.Results[1].want(t, "clients", 20, "sessions_lost", 0)
	m.Results[2].want(t, "expected", 200, "delivered", 200, "lost", 0, "repeated_or_late", 0)
	m.Results[3].want(t, "expected", 600, "delivered", 600, "lost", 0, "repeated_or_late", 0)
	m.Results[4].want(t, "switches", 200)
	m.Results[5].want(t, "cut", 30, "back", 30, "recovered", 30)
	jitter := &m.Results[6]
	jitter.want(t, "expected", 1000, "delivered", 1000, "lost", 0, "repeated_or_late", 0, "recovered", int(jitter.Figures["cut"]))
	m.Results[7].want(t, "cut", 20, "back", 20, "recovered", 20)
	if m.Results[8].Skipped == "" {
		t.Errorf("latency without an event that is answered: %+v", m.Results[8])
	}
	m.Results[9].want(t, "delivered", 400, "delivered_compressed", 400)
	if ratio := m.Results[9].Figures["compression_ratio"]; ratio < 4 || ratio > 50 {
		t.Errorf("compression ratio %v", ratio)
	}

	m = bench(t, append(listener, "--scenario", "broadcast", "--redis", redis, "--redis-key", "pona:socket.io", "--room", "pona! music")...)
	m.Results[0].want(t, "expected", 200, "delivered", 200, "lost", 0)
	m.Results[1].want(t, "expected", 600, "delivered", 600, "lost", 0)

	m = bench(t, "--url", url, "--clients", "10", "--scenario", "latency,broadcast", "--transport", "polling", "--ask-event", "ping", "--reply-event", "pong",
		"--ask-rate", "10", "--for", "500ms", "--namespace", "/", "--rooms", "1", "--redis", redis, "--redis-key", "pona:socket.io", "--events", "1")
	latency := &m.Results[1]
	latency.want(t, "clients", 10, "answered", int(latency.Figures["asked"]))
	if latency.counted("round trip") < 10 {
		t.Errorf("latency: %+v", latency.Distributions)
	}
}
