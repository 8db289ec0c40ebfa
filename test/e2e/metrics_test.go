package e2e

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"

	"github.com/pona-realtime/pona/pkg/adapter/redistest"
	"github.com/pona-realtime/pona/pkg/metrics"
	playerv1 "github.com/pona-realtime/pona/proto/pona/player/v1"
	"github.com/pona-realtime/pona/services/edge/edgetest"
)

var adminLine = regexp.MustCompile(`admin=(\S+)`)

// watched is the admin port of a running service, and what it said at the last step.
type watched struct {
	url  string
	last metrics.Reading
}

// read scrapes /metrics as Prometheus does.
func (w *watched) read(t *testing.T) metrics.Reading {
	t.Helper()
	return metrics.Read(prometheus.GathererFunc(func() (families []*dto.MetricFamily, err error) {
		response, err := browser.Get(w.url + "/metrics")
		if err != nil {
			t.Fatal(err)
		}
		defer response.Body.Close()
		parser := expfmt.NewTextParser(model.LegacyValidation)
		parsed, err := parser.TextToMetricFamilies(response.Body)
		if err != nil || response.StatusCode != http.StatusOK {
			t.Fatalf("%s/metrics: %s, %v", w.url, response.Status, err)
		}
		for family := range maps.Values(parsed) {
			families = append(families, family)
		}
		return families, nil
	}))
}

var browser = &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: patience}

// atLeast is a series that moves by so much or more.
type atLeast float64

// moves waits until each series has moved as wanted since the step before: by a number exactly, or by
// an atLeast. A series is written as "name label=value, label=value"; with "_count" it is a histogram's.
func (w *watched) moves(t *testing.T, step string, want map[string]any) {
	t.Helper()
	deadline, tick := time.After(patience), time.NewTicker(50*time.Millisecond)
	defer tick.Stop()
	for {
		now := w.read(t)
		var wrong []string
		for series, by := range want {
			is := value(now, series) - value(w.last, series)
			least, open := by.(atLeast)
			if exact, _ := by.(int); open && is < float64(least) || !open && is != float64(exact) {
				wrong = append(wrong, fmt.Sprintf("%s moved by %v, want %v", series, is, by))
			}
		}
		if len(wrong) == 0 {
			w.last = now
			return
		}
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatalf("%s:\n%s", step, strings.Join(wrong, "\n"))
		}
	}
}

func value(r metrics.Reading, series string) float64 {
	name, rest, labeled := strings.Cut(series, " ")
	var labels []string
	for pair := range strings.SplitSeq(rest, ", ") {
		if label, is, ok := strings.Cut(pair, "="); labeled && ok {
			labels = append(labels, label, is)
		}
	}
	if histogram, ok := strings.CutSuffix(name, "_count"); ok {
		return r.Count(histogram, labels...)
	}
	return r.Sum(name, labels...)
}

// TestMetricsFollowTheTraffic drives traffic from a bot through NATS, a fanout and an edge to stock clients,
// and sees at each step how far the metrics of both services move.
func TestMetricsFollowTheTraffic(t *testing.T) {
	nats := startNATS(t)
	discord, redis := edgetest.StartDiscord(t), redistest.Start(t)
	common := []string{"--admin", "127.0.0.1:0", "--redis-url", "redis://" + redis.Addr()}
	f := start(t, "fanout", program(t, "fanout"), append(common, "--grpc", "127.0.0.1:0", "--nats-url", nats.URL())...)
	line, _ := f.await(t, 0, "where it listens", fanoutLine.MatchString)
	grpc, fanout := fanoutLine.FindStringSubmatch(line)[1], watched{url: "http://" + adminLine.FindStringSubmatch(line)[1]}
	fanout.moves(t, "the fanout starts", map[string]any{
		"pona_fanout_partitions": partitions, "pona_fanout_partitions_owned": partitions, "pona_fanout_lag_events": 0,
		"pona_fanout_takeover_duration_seconds_count": partitions, "pona_build_info": 1,
	})

	e := start(t, "edge", program(t, "edge"), append(common, "--listen", "127.0.0.1:0", "--fanout", grpc, "--ping-interval", "500ms", "--recovery-guild-events", "8",
		"--cluster-key", "of this test alone 32 bytes long", "--discord-url", discord.Base(), "--discord-bot-token", edgetest.DiscordBotToken)...)
	line, _ = e.await(t, 0, "where it listens", edgeLine.MatchString)
	address, edge := edgeLine.FindStringSubmatch(line)[1], watched{url: "http://" + adminLine.FindStringSubmatch(line)[1]}
	edge.moves(t, "the edge starts", map[string]any{"pona_edge_fanouts_connected": 1, "pona_edge_connects_total": 0, "pona_build_info": 1})
	fanout.moves(t, "the edge starts", map[string]any{"pona_fanout_edges": 1})

	guild := newGuild()
	var listeners []*listener
	for i, transports := range [][]string{{"websocket"}, {"polling"}, nil} {
		l := listen(t, "http://"+address, guild, fmt.Sprint("user", i+1), transports)
		l.payload(t, "handshake")
		listeners = append(listeners, l)
	}
	edge.moves(t, "clients connect and join", map[string]any{
		"pona_edge_connections transport=websocket": 2, "pona_edge_connections transport=polling": 1, "pona_edge_connections_peak": 3,
		"pona_edge_connects_total transport=websocket": 1, "pona_edge_connects_total transport=polling": 2, "pona_edge_upgrades_total": 1,
		"pona_edge_sockets": 3, "pona_edge_socket_joins_total": 3, "pona_edge_namespaces": 1, "pona_edge_guilds": 1, "pona_edge_rooms": atLeast(1),
		"pona_edge_cache_requests_total cache=namespace, outcome=miss": 1, "pona_edge_cache_requests_total cache=namespace, outcome=hit": 2,
		"pona_edge_cache_requests_total cache=guild, outcome=miss": 1, "pona_edge_cache_requests_total cache=guild, outcome=hit": 2,
		"pona_edge_cache_requests_total cache=user, outcome=miss": 3, "pona_edge_cache_requests_total cache=membership, outcome=miss": 3,
		"pona_edge_discord_requests_total status=200": atLeast(6), "pona_redis_requests_total outcome=ok": atLeast(6),
		"pona_redis_request_duration_seconds_count": atLeast(1),
		"pona_edge_received_messages_total":         3, "pona_edge_received_bytes_total": atLeast(100),
		"pona_edge_sent_messages_total": atLeast(6), "pona_edge_sent_bytes_total": atLeast(500),
		"pona_edge_ping_round_trip_seconds_count": atLeast(1), "pona_edge_disconnects_total": 0,
		"pona_edge_queue_frames": 0, "pona_edge_queue_bytes": 0, "pona_edge_backlogged_connections": 0,
	})

	b := newBot(t, grpc, guild)
	published := 0
	volumes := func(count int) (events []*playerv1.Event) {
		for range count {
			published++
			events = append(events, &playerv1.Event{
				PublishedAtNs: time.Now().UnixNano(), Kind: &playerv1.Event_VolumeUpdated{VolumeUpdated: &playerv1.VolumeUpdated{Volume: fmt.Sprint(published)}},
			})
		}
		return events
	}
	track := fmt.Appendf(nil, `{"title":%q}`, strings.Repeat("long ", 1000))
	b.publish(t, append(volumes(1), &playerv1.Event{PublishedAtNs: time.Now().UnixNano(), Kind: &playerv1.Event_TrackUpdated{TrackUpdated: &playerv1.TrackUpdated{Track: track}}})...)
	for _, l := range listeners {
		l.event(t, "volume_updated")
		l.event(t, "track_updated")
	}
	fanout.moves(t, "events", map[string]any{
		"pona_fanout_published_events_total outcome=stored": 2, "pona_fanout_store_duration_seconds_count": atLeast(1),
		"pona_fanout_event_latency_seconds_count": 2, "pona_fanout_batch_events": 2, "pona_fanout_batch_events_count": atLeast(1),
		"pona_fanout_sent_bytes_total": atLeast(5000), "pona_fanout_lag_events": 0, "pona_fanout_route_queue_bytes": 0,
	})
	edge.moves(t, "events", map[string]any{
		"pona_edge_event_latency_seconds_count hop=stream": 2, "pona_edge_event_latency_seconds_count hop=fanout": 2,
		"pona_edge_event_latency_seconds_count hop=link": 2, "pona_edge_event_latency_seconds_count hop=edge": 2, "pona_edge_event_latency_seconds_count hop=whole": 2,
		"pona_edge_batch_events": 2, "pona_edge_batch_events_count": atLeast(1), "pona_edge_sent_messages_total": 6, "pona_edge_sent_bytes_total": atLeast(15000),
		"pona_edge_compressions_total transport=websocket": 1, "pona_edge_compression_input_bytes_total transport=websocket": atLeast(5000),
		"pona_edge_compression_output_bytes_total transport=websocket": atLeast(20),
	})
	const latency = "pona_edge_event_latency_seconds"
	for _, hop := range []string{"stream", "fanout", "link", "edge"} {
		if part, whole := edge.last.Sum(latency, "hop", hop), edge.last.Sum(latency, "hop", "whole"); part <= 0 || part > whole {
			t.Errorf("events took %v s in hop %s, %v s in all", part, hop, whole)
		}
	}

	listeners[0].answer(t, listeners[0].ask(t, "pause"))
	edge.moves(t, "a command", map[string]any{"pona_edge_commands_total outcome=no bot": 1, "pona_edge_command_duration_seconds_count": 1, "pona_edge_received_messages_total": 1})
	fanout.moves(t, "a command", map[string]any{"pona_fanout_commands_total outcome=no bot": 1})

	ticket := joined(t, address, guild, "user4")
	listeners[0].cut(t)
	listeners[0].next(t, "that it lost its connection", func(s said) bool { return s.What == "disconnect" })
	b.publish(t, volumes(2)...)
	if back := listeners[0].next(t, "that it came back", func(s said) bool { return s.What == "connect" }); !back.Recovered {
		t.Error("the client that was cut has not been recovered")
	}
	listeners[1].event(t, "volume_updated")
	listeners[1].event(t, "volume_updated")
	edge.moves(t, "a cut", map[string]any{
		"pona_edge_recoveries_total outcome=recovered": 1, "pona_edge_recoveries_total": 1, "pona_edge_connects_total": 2, "pona_edge_disconnects_total": 1,
		"pona_edge_cache_requests_total cache=user, outcome=hit": 1, "pona_edge_cache_requests_total cache=membership, outcome=hit": 1,
		"pona_edge_connections": 1, "pona_edge_connections_peak": 1,
	})

	b.publish(t, volumes(20)...) // more than is kept
	for range 20 {
		listeners[1].event(t, "volume_updated")
	}
	late := edgetest.DialWebSocket(t, address)
	late.ConnectAgain(ticket, namespaceOf(guild), credential("user4"))
	late.Joined(namespaceOf(guild))
	stranger := edgetest.DialWebSocket(t, address)
	stranger.Connect(namespaceOf(guild), `{"pid":"of nobody","offset":"1",`+credential("user4")[1:])
	stranger.Joined(namespaceOf(guild))
	edge.moves(t, "others come back", map[string]any{
		"pona_edge_recoveries_total outcome=missed too much": 1, "pona_edge_recoveries_total outcome=unknown": 1, "pona_edge_recoveries_total": 2,
		"pona_edge_connects_total": 2, "pona_edge_disconnects_total": 1, // whose ticket was shown by another
	})
	<-ticket.Closed()

	for _, c := range []*edgetest.Client{late, stranger} {
		c.Emit("/guild/7", "play") // without having joined: against the protocol
		<-c.Closed()
	}
	for _, l := range listeners {
		l.stdin.Close()
		<-l.ended
	}
	edge.moves(t, "all leave", map[string]any{
		"pona_edge_connections": -5, "pona_edge_sockets": -5, "pona_edge_disconnects_total": 5, "pona_edge_connections_peak": 0,
		"pona_edge_disconnects_total reason=forced close": 2, "pona_edge_disconnects_total reason=transport close": 3, "pona_edge_connects_total": 0,
	})
	all := edge.last.Sum("pona_edge_connects_total")
	if ended := edge.last.Sum("pona_edge_disconnects_total"); all != 7 || ended != all {
		t.Errorf("%v connects, %v disconnects", all, ended)
	}
	if left := edge.last.Sum("pona_edge_socket_leaves_total"); left != edge.last.Sum("pona_edge_socket_joins_total") {
		t.Errorf("%v sockets left", left)
	}
	for reason := range edge.last.By("reason", "pona_edge_disconnects_total") {
		if reason == "" || strings.Contains(reason, "unknown") {
			t.Errorf("sessions end for the reason %q", reason)
		}
	}
	wantSnapshot(t, &edge)
	fanout.moves(t, "the end", nil)
	wantKnownLabels(t, "edge", edge.last)
	wantKnownLabels(t, "fanout", fanout.last)
}

// wantKnownLabels finds each label of a service that has seen traffic in docs/metrics.md, which is made from services that
// have seen none: traffic makes no series.
func wantKnownLabels(t *testing.T, service string, seen metrics.Reading) {
	t.Helper()
	page, err := os.ReadFile("../../docs/metrics.md")
	if err != nil {
		t.Fatal(err)
	}
	_, section, _ := strings.Cut(string(page), "\n## "+service+"\n")
	section, _, _ = strings.Cut(section, "\n## ")
	listed := 0
	for row := range strings.Lines(section) {
		columns := strings.Split(row, "|")
		if len(columns) < 5 || !strings.Contains(columns[1], "`pona_") || strings.Contains(columns[1], "build_info") {
			continue
		}
		listed++
		name, known := strings.Trim(columns[1], " `"), map[string]string{}
		for label := range strings.SplitSeq(columns[3], ";") {
			if key, values, found := strings.Cut(label, ":"); found {
				known[strings.Trim(key, " `")] = strings.TrimSpace(values)
			}
		}
		for label, value := range seen.Labels(name) {
			if !slices.Contains(strings.Split(known[label], ", "), value) {
				t.Errorf("%s has %s=%q, which docs/metrics.md does not list", name, label, value)
			}
		}
	}
	if listed < 20 {
		t.Errorf("docs/metrics.md lists %d metrics of %s", listed, service)
	}
}

// wantSnapshot compares /v1/metrics with /metrics.
func wantSnapshot(t *testing.T, w *watched) {
	t.Helper()
	response, err := browser.Get(w.url + "/v1/metrics")
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	var page struct {
		ActiveConnections, PeakConnections, TotalConnections, MessagesSent, MessagesReceived float64
		AverageLatency, NamespaceCount, RoomCount, UptimeSeconds, CompressionRatio           *float64
		CacheHitRates, Disconnects                                                           map[string]float64
	}
	if err := json.NewDecoder(response.Body).Decode(&page); err != nil {
		t.Fatal(err)
	}
	for field, pair := range map[string][2]float64{
		"activeConnections": {page.ActiveConnections, 0}, "peakConnections": {page.PeakConnections, w.last.Sum("pona_edge_connections_peak")},
		"totalConnections": {page.TotalConnections, 7}, "messagesSent": {page.MessagesSent, w.last.Sum("pona_edge_sent_messages_total")},
		"messagesReceived": {page.MessagesReceived, w.last.Sum("pona_edge_received_messages_total")},
	} {
		if pair[0] != pair[1] {
			t.Errorf("%s is %v, want %v", field, pair[0], pair[1])
		}
	}
	for field, is := range map[string]*float64{"averageLatency": page.AverageLatency, "uptimeSeconds": page.UptimeSeconds, "compressionRatio": page.CompressionRatio} {
		if is == nil || *is <= 0 {
			t.Errorf("%s is not there, or nothing", field)
		}
	}
	if page.NamespaceCount == nil || page.RoomCount == nil {
		t.Error("no namespaceCount, or no roomCount")
	}
	for _, cache := range []string{"user", "membership", "namespace", "guild"} {
		if rate := page.CacheHitRates[cache]; rate <= 0 || rate >= 1 {
			t.Errorf("cache %s hits at %v", cache, rate)
		}
	}
}

func namespaceOf(guild uint64) string { return fmt.Sprint("/guild/", guild) }

func credential(key string) string { return fmt.Sprintf(`{"type":"Bearer","key":%q}`, key) }

// joined is a client that has its handshake, and looks at nothing that comes later.
func joined(t *testing.T, address string, guild uint64, key string) *edgetest.Client {
	t.Helper()
	c := edgetest.DialWebSocket(t, address)
	c.Connect(namespaceOf(guild), credential(key))
	c.Joined(namespaceOf(guild))
	c.Handshake(namespaceOf(guild))
	return c
}
