package app

import (
	"encoding/json"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/pona-realtime/pona/pkg/metrics"
	"github.com/pona-realtime/pona/services/edge/edgetest"
)

// TestMetrics lets clients come, listen, ask and go, and finds all of that in the metrics.
func TestMetrics(t *testing.T) {
	s := local(t)
	_, p := withFanout(t, &s)
	s.Redis = edgetest.StartRedis(t)
	a := started(t, s)
	if _, body := get(t, "http://"+a.AdminAddr()+"/v1/metrics"); !strings.Contains(body, `"cacheHitRates":{}`) {
		t.Errorf("caches that nobody has asked have hit rates: %s", body)
	}
	ws, polling := edgetest.DialWebSocket(t, a.Addr()), edgetest.DialPolling(t, []string{a.Addr()})
	for user, c := range []*edgetest.Client{ws, polling} {
		c.Connect(guild100, as(user+1))
		c.Joined(guild100)
		c.Handshake(guild100)
	}
	p.Publish(100, edgetest.Volume("1"))
	for _, c := range []*edgetest.Client{ws, polling} {
		c.Event(guild100)
	}
	if code, body := get(t, "http://"+a.Addr()+"/socket.io/?EIO=3&transport=polling"); code != 400 {
		t.Errorf("EIO=3: %d %s", code, body)
	}

	now := metrics.Read(a.registry)
	for _, want := range []struct {
		is   float64
		want float64
		name string
	}{
		{now.Sum("pona_edge_connections", "transport", "websocket"), 1, "WebSocket connections"},
		{now.Sum("pona_edge_connections", "transport", "polling"), 1, "polling connections"},
		{now.Sum("pona_edge_connections_peak"), 2, "peak"},
		{now.Sum("pona_edge_connects_total"), 2, "connects"},
		{now.Sum("pona_edge_sockets"), 2, "sockets"},
		{now.Sum("pona_edge_namespaces"), 2, "namespaces"},
		{now.Sum("pona_edge_guilds"), 1, "guilds"},
		{now.Sum("pona_edge_fanouts_connected"), 1, "fanouts"},
		{now.Sum("pona_edge_requests_refused_total", "cause", "protocol version"), 1, "refused"},
		{now.Sum("pona_edge_cache_requests_total", "cache", "namespace", "outcome", "miss"), 1, "namespaces made"},
		{now.Sum("pona_edge_cache_requests_total", "cache", "namespace", "outcome", "hit"), 1, "namespaces found"},
		{now.Sum("pona_edge_cache_requests_total", "cache", "guild"), 2, "guilds asked for"},
	} {
		if want.is != want.want {
			t.Errorf("%s: %v, want %v", want.name, want.is, want.want)
		}
	}
	if now.Sum("pona_redis_requests_total", "outcome", "ok") == 0 {
		t.Error("Redis has answered, but is not counted")
	}

	var page map[string]any
	if code, body := get(t, "http://"+a.AdminAddr()+"/v1/metrics"); code != 200 || json.Unmarshal([]byte(body), &page) != nil {
		t.Fatalf("/v1/metrics: %d %s", code, body)
	}
	for _, field := range []string{
		"activeConnections", "peakConnections", "totalConnections", "messagesSent", "messagesReceived", "averageLatency",
		"namespaceCount", "roomCount", "uptimeSeconds", "cacheHitRates",
	} {
		if page[field] == nil {
			t.Errorf("/v1/metrics has no %s", field)
		}
	}
	if page["activeConnections"] != 2.0 || page["cacheHitRates"].(map[string]any)["namespace"] != 0.5 {
		t.Errorf("/v1/metrics: %v", page)
	}
	if code, body := get(t, "http://"+a.AdminAddr()+"/v1/report"); code != 200 || strings.Contains(body, s.ClusterKeys[0]) || !strings.Contains(body, `"cluster-key": "(hidden)"`) {
		t.Errorf("/v1/report: %d %s", code, body)
	}
	for _, path := range []string{"/metrics", "/v1/metrics", "/v1/report", "/live/", "/readyz", "/debug/pprof/", "/debug/vars", "/admin/rebalance"} {
		if code, body := get(t, "http://"+a.Addr()+path); code != 404 {
			t.Errorf("clients get %s: %d %.100s", path, code, body)
		}
	}
	if code, body := get(t, "http://"+a.AdminAddr()+"/metrics"); code != 200 || !strings.Contains(body, `pona_edge_connections{transport="websocket"} 1`) {
		t.Errorf("/metrics: %d, %d bytes", code, len(body))
	}
}

// TestDisconnectReasonsSumUp ends sessions in several ways: every end has a reason, and one only.
func TestDisconnectReasonsSumUp(t *testing.T) {
	t.Parallel() // it mostly waits
	s := local(t)
	withFanout(t, &s)
	a := start(t, s, quiet)
	await(t, a.Ready())
	for i := range 6 {
		c := edgetest.DialWebSocket(t, a.Addr())
		c.Connect(guild100, as(1))
		c.Joined(guild100)
		if i%2 == 0 {
			c.Emit("/guild/7", "play") // without having joined: against the protocol
			await(t, c.Closed())
		}
	}
	if err := a.server.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	now := metrics.Read(a.registry)
	reasons := now.By("reason", "pona_edge_disconnects_total")
	var sum float64
	for _, n := range reasons {
		sum += n
	}
	if all := now.Sum("pona_edge_connects_total"); sum != all || all != 6 || reasons["server shutting down"] != 3 || reasons["forced close"] != 3 || now.Sum("pona_edge_connections") != 0 {
		t.Errorf("%v connects, disconnects by %v", all, reasons)
	}
	for reason := range reasons {
		if reason == "" || strings.Contains(reason, "unknown") {
			t.Errorf("a session ended for the reason %q", reason)
		}
	}
	if joined, left := now.Sum("pona_edge_socket_joins_total"), now.Sum("pona_edge_socket_leaves_total"); joined != 6 || left != 6 {
		t.Errorf("%v sockets joined, %v left", joined, left)
	}
}

// TestMetricNames holds the names to Prometheus' own rules.
func TestMetricNames(t *testing.T) {
	s := local(t)
	withFanout(t, &s)
	s.Redis = edgetest.StartRedis(t)
	a := start(t, s, quiet)
	problems, err := testutil.GatherAndLint(a.registry)
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range problems {
		t.Errorf("%s: %s", p.Metric, p.Text)
	}
}

// TestPerformanceIsLogged reads a line in both formats, which have the names of /v1/metrics.
func TestPerformanceIsLogged(t *testing.T) {
	s := local(t)
	withFanout(t, &s)
	s.PerformanceLog = 10 * time.Millisecond
	for format, line := range map[string]string{
		"json": `"metrics":{"activeConnections":0,"peakConnections":0,`,
		"text": ` msg=performance metrics.activeConnections=0 metrics.peakConnections=0 `,
	} {
		log := logOf(line)
		s.LogFormat = format
		a := start(t, s, s.Logger(log))
		await(t, log.told)
		page := map[string]any{}
		if _, body := get(t, "http://"+a.AdminAddr()+"/v1/metrics"); json.Unmarshal([]byte(body), &page) != nil {
			t.Fatal(body)
		}
		logged := log.String()
		for name := range page {
			if !strings.Contains(logged, `"`+name+`":`) && !strings.Contains(logged, " metrics."+name+"=") {
				t.Errorf("%s: no %s in %s", format, name, logged)
			}
		}
		if format == "text" && !strings.Contains(logged, ` metrics.disconnects="{\"forced close\":0,`) {
			t.Errorf("reasons are not to be read: %s", logged)
		}
	}
}

// TestLatencyOfALargeRoom publishes to more listeners than the goroutine that receives writes to itself: the event has passed
// each hop once, and the hops are the whole.
func TestLatencyOfALargeRoom(t *testing.T) {
	s := local(t)
	_, p := withFanout(t, &s)
	a := started(t, s)
	clients := make([]*edgetest.Client, 64)
	for i := range clients {
		clients[i] = edgetest.DialWebSocket(t, a.Addr())
		clients[i].Connect(guild100, as(i+1))
		clients[i].Joined(guild100)
		clients[i].Handshake(guild100)
	}
	event := edgetest.Volume("1")
	event.PublishedAtNs = time.Now().Add(-time.Second).UnixNano()
	p.Publish(100, event)
	p.Publish(100, edgetest.Position("1"))
	p.Publish(100, edgetest.Generic("nobody is here", "x", "[]"))
	for _, c := range clients {
		c.Event(guild100)
	}
	const latency = "pona_edge_event_latency_seconds"
	now := metrics.Read(a.registry)
	for deadline := time.Now().Add(edgetest.Patience); now.Count(latency, "hop", "edge") == 0 && time.Now().Before(deadline); now = metrics.Read(a.registry) {
		time.Sleep(time.Millisecond) // the last listener has it a moment before it is measured
	}
	var sum float64
	for _, hop := range []string{"stream", "fanout", "link", "edge"} {
		if n := now.Count(latency, "hop", hop); n != 1 {
			t.Errorf("%v events have passed %s", n, hop)
		}
		sum += now.Sum(latency, "hop", hop)
	}
	if whole := now.Sum(latency, "hop", "whole"); whole < 1 || math.Abs(sum-whole) > 1e-3 {
		t.Errorf("the hops are %v s together, the whole is %v s", sum, whole)
	}
}
