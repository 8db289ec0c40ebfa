package app

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/pona-realtime/pona/pkg/engineio"
	"github.com/pona-realtime/pona/pkg/metrics"
	"github.com/pona-realtime/pona/pkg/socketio"
	"github.com/pona-realtime/pona/services/edge/admission"
)

// What the Socket.IO server counts; see socketio.Stats and engineio.Stats.
var (
	connections     = metrics.Gauge("pona_edge_connections", "Engine.IO sessions.", "transport")
	peak            = metrics.Gauge("pona_edge_connections_peak", "Most sessions at the same time since the start.")
	connects        = metrics.Counter("pona_edge_connects_total", "Sessions that began, by their first transport.", "transport")
	upgrades        = metrics.Counter("pona_edge_upgrades_total", "Sessions that went from polling to WebSocket.")
	disconnects     = metrics.Counter("pona_edge_disconnects_total", "Sessions that ended.", "reason")
	refused         = metrics.Counter("pona_edge_requests_refused_total", "Engine.IO requests refused.", "cause")
	sockets         = metrics.Gauge("pona_edge_sockets", "Sockets in their namespaces; a session may have several.")
	joins           = metrics.Counter("pona_edge_socket_joins_total", "Sockets that joined their namespace.")
	leaves          = metrics.Counter("pona_edge_socket_leaves_total", "Sockets that left their namespace.", "reason")
	joinsRefused    = metrics.Counter("pona_edge_socket_joins_refused_total", "Sockets that could not join.", "cause")
	namespaces      = metrics.Gauge("pona_edge_namespaces", "Namespaces that live.")
	rooms           = metrics.Gauge("pona_edge_rooms", "Rooms in all namespaces, without the sockets' own.")
	namespacesFound = metrics.CacheCounter("namespace", "hit")
	namespacesMade  = metrics.CacheCounter("namespace", "miss")
	sentMessages    = metrics.Counter("pona_edge_sent_messages_total", "Messages given to sessions.")
	sentBytes       = metrics.Counter("pona_edge_sent_bytes_total", "Bytes of messages given to sessions, before framing and compression.")
	gotMessages     = metrics.Counter("pona_edge_received_messages_total", "Messages that came from clients.")
	gotBytes        = metrics.Counter("pona_edge_received_bytes_total", "Bytes of messages that came from clients.")
	compressed      = metrics.Counter("pona_edge_compressions_total", "Messages or answers compressed, each once for all its recipients.", "transport")
	compressedIn    = metrics.Counter("pona_edge_compression_input_bytes_total", "Bytes before compression.", "transport")
	compressedOut   = metrics.Counter("pona_edge_compression_output_bytes_total", "Bytes after compression.", "transport")
	queueFrames     = metrics.Gauge("pona_edge_queue_frames", "Frames that wait: for clients that do not read, for those between two polls, or a moment for the goroutine that writes to large rooms.")
	queueBytes      = metrics.Gauge("pona_edge_queue_bytes", "Bytes that wait: for clients that do not read, for those between two polls, or a moment for the goroutine that writes to large rooms.")
	backlogs        = metrics.Gauge("pona_edge_backlogged_connections", "Sessions for which something waits that their client does not read, or has not polled yet.")
	conflated       = metrics.Counter("pona_edge_conflated_frames_total", "Frames that a newer one replaced while they waited.")
	dropped         = metrics.Counter("pona_edge_dropped_messages_total", "Volatile messages not sent, because the client's transport could not take them.")
	pings           = prometheus.NewDesc("pona_edge_ping_round_trip_seconds", "Time from a ping to its pong.", nil, nil)
	recoveries      = metrics.Counter("pona_edge_recoveries_total", "Clients that came back with a ticket: nothing lost, not known, or too much missed.", "outcome")
)

// notAdmitted counts who is not let in for their number; see package admission.
var notAdmitted = metrics.Counter("pona_edge_admission_refused_total", "Sessions and joins not let in, by the bound they met.", "cause")

// admissionStats is a collector of what the admission refuses.
type admissionStats struct{ *admission.Admission }

// Describe names its one metric.
func (admissionStats) Describe(out chan<- *prometheus.Desc) { out <- notAdmitted.Desc }

// Collect reads the admission's counters.
func (a admissionStats) Collect(out chan<- prometheus.Metric) {
	for _, cause := range admission.Causes {
		notAdmitted.Is(out, float64(a.Refused(cause)), cause)
	}
}

// socketStats is a collector of what the Socket.IO server counts.
type socketStats func() socketio.Stats

// Describe lists all the metrics above.
func (socketStats) Describe(out chan<- *prometheus.Desc) {
	for _, f := range []metrics.Family{
		connections, peak, connects, upgrades, disconnects, refused, sockets, joins, leaves, joinsRefused, namespaces, rooms, namespacesFound, namespacesMade,
		sentMessages, sentBytes, gotMessages, gotBytes, compressed, compressedIn, compressedOut,
		queueFrames, queueBytes, backlogs, conflated, dropped, recoveries,
	} {
		out <- f.Desc
	}
	out <- pings
}

// refusals names the codes of Engine.IO.
var refusals = map[engineio.Code]string{
	engineio.CodeUnknownTransport: "unknown transport", engineio.CodeUnknownSession: "unknown session",
	engineio.CodeBadHandshakeMethod: "bad method", engineio.CodeBadRequest: "bad request",
	engineio.CodeForbidden: "forbidden", engineio.CodeUnsupportedProtocolVersion: "protocol version",
}

// Collect reads the server's counters.
func (read socketStats) Collect(out chan<- prometheus.Metric) {
	s := read()
	e := s.Engine
	connections.Is(out, float64(e.Polling), "polling")
	connections.Is(out, float64(e.WebSocket), "websocket")
	peak.Is(out, float64(e.Peak))
	connects.Is(out, float64(e.OpenedPolling), "polling")
	connects.Is(out, float64(e.OpenedWebSocket), "websocket")
	upgrades.Is(out, float64(e.Upgraded))
	for reason, n := range e.Closed {
		disconnects.Is(out, float64(n), string(reason))
	}
	for code, cause := range refusals {
		refused.Is(out, float64(e.Refused[code]), cause)
	}
	refused.Is(out, float64(e.Full), "full")
	sockets.Is(out, float64(s.Sockets))
	joins.Is(out, float64(s.Joined))
	for reason, n := range s.Ended {
		leaves.Is(out, float64(n), reason)
	}
	joinsRefused.Is(out, float64(s.NotAllowed), "authorization")
	joinsRefused.Is(out, float64(s.NotFound), "namespace")
	namespaces.Is(out, float64(s.Namespaces))
	rooms.Is(out, float64(s.Rooms))
	collectTraffic(out, e)
	namespacesFound.Is(out, float64(s.Found))
	namespacesMade.Is(out, float64(s.Made))
	recoveries.Is(out, float64(s.Recovered), "recovered")
	recoveries.Is(out, float64(s.UnknownPID), "unknown")
	recoveries.Is(out, float64(s.MissedTooMuch), "missed too much")
}

func collectTraffic(out chan<- prometheus.Metric, e engineio.Stats) {
	sentMessages.Is(out, float64(e.MessagesSent))
	sentBytes.Is(out, float64(e.BytesSent))
	gotMessages.Is(out, float64(e.MessagesReceived))
	gotBytes.Is(out, float64(e.BytesReceived))
	compressed.Is(out, float64(e.Deflates), "websocket")
	compressedIn.Is(out, float64(e.DeflateIn), "websocket")
	compressedOut.Is(out, float64(e.DeflateOut), "websocket")
	compressed.Is(out, float64(e.PollsCompressed), "polling")
	compressedIn.Is(out, float64(e.PollIn), "polling")
	compressedOut.Is(out, float64(e.PollOut), "polling")
	queueFrames.Is(out, float64(e.QueuedFrames))
	queueBytes.Is(out, float64(e.QueuedBytes))
	backlogs.Is(out, float64(e.Backlogs))
	conflated.Is(out, float64(e.Conflated))
	dropped.Is(out, float64(e.Dropped))
	var count uint64
	buckets := make(map[float64]uint64, len(e.Pings.Counts))
	for i, bound := range engineio.PingBounds() {
		count += e.Pings.Counts[i]
		buckets[bound.Seconds()] = count
	}
	count += e.Pings.Counts[len(e.Pings.Counts)-1]
	out <- prometheus.MustNewConstHistogram(pings, count, e.Pings.Sum.Seconds(), buckets)
}

// summary is an edge in a few numbers: GET /v1/metrics, and the line of the log.
type summary struct {
	ActiveConnections     float64            `json:"activeConnections"`
	PeakConnections       float64            `json:"peakConnections"`
	TotalConnections      float64            `json:"totalConnections"`
	MessagesSent          float64            `json:"messagesSent"`
	MessagesReceived      float64            `json:"messagesReceived"`
	AverageLatency        float64            `json:"averageLatency"` // ms from the bot to the write to the last socket, of the last minute
	AveragePing           float64            `json:"averagePing"`    // ms from a ping to its pong, of the last minute
	NamespaceCount        float64            `json:"namespaceCount"`
	RoomCount             float64            `json:"roomCount"`
	GuildCount            float64            `json:"guildCount"`
	UptimeSeconds         float64            `json:"uptimeSeconds"`
	CacheHitRates         map[string]float64 `json:"cacheHitRates"`    // 0 to 1 each, of the last minute; of those that were asked in it
	CompressionRatio      float64            `json:"compressionRatio"` // bytes before to bytes after, since the start; 0 where nothing was compressed
	BackloggedConnections float64            `json:"backloggedConnections"`
	Disconnects           map[string]float64 `json:"disconnects"` // by reason
	FanoutsConnected      float64            `json:"fanoutsConnected"`
}

func summarize(now, earlier metrics.Reading, uptime time.Duration) any {
	const ms = 1e3
	s := summary{
		ActiveConnections:     now.Sum("pona_edge_connections"),
		PeakConnections:       now.Sum("pona_edge_connections_peak"),
		TotalConnections:      now.Sum("pona_edge_connects_total"),
		MessagesSent:          now.Sum("pona_edge_sent_messages_total"),
		MessagesReceived:      now.Sum("pona_edge_received_messages_total"),
		AverageLatency:        ms * now.MeanSince(earlier, "pona_edge_event_latency_seconds", "hop", "whole"),
		AveragePing:           ms * now.MeanSince(earlier, "pona_edge_ping_round_trip_seconds"),
		NamespaceCount:        now.Sum("pona_edge_namespaces"),
		RoomCount:             now.Sum("pona_edge_rooms"),
		GuildCount:            now.Sum("pona_edge_guilds"),
		UptimeSeconds:         uptime.Seconds(),
		CacheHitRates:         map[string]float64{},
		CompressionRatio:      metrics.Ratio(now.Sum("pona_edge_compression_input_bytes_total"), now.Sum("pona_edge_compression_output_bytes_total")),
		BackloggedConnections: now.Sum("pona_edge_backlogged_connections"),
		Disconnects:           now.By("reason", "pona_edge_disconnects_total"),
		FanoutsConnected:      now.Sum("pona_edge_fanouts_connected"),
	}
	const requests = "pona_edge_cache_requests_total"
	hits := now.BySince(earlier, "cache", requests, "outcome", "hit")
	for cache, all := range now.BySince(earlier, "cache", requests) {
		if all > 0 {
			s.CacheHitRates[cache] = hits[cache] / all
		}
	}
	return s
}
