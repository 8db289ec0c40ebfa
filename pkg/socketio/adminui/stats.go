package adminui

import (
	"cmp"
	"fmt"
	"os"
	"slices"
	"time"

	"github.com/pona-realtime/pona/pkg/socketio"
)

// maxNamespaces is how many namespaces a server tells of, the largest ones; the others are one line together.
const maxNamespaces = 200

// stats remembers what was told last: pages add up what has happened since. It is Run's.
type stats struct {
	last    socketio.Stats
	watched bool // when that was
}

// serverStats is the payload of server_stats.
type serverStats struct {
	ServerID            string      `json:"serverId"`
	Hostname            string      `json:"hostname"`
	PID                 int         `json:"pid"`
	Uptime              float64     `json:"uptime"` // seconds
	ClientsCount        int         `json:"clientsCount"`
	PollingClientsCount int         `json:"pollingClientsCount"`
	AggregatedEvents    []happening `json:"aggregatedEvents"`
	Namespaces          []nspCount  `json:"namespaces"`
}

// happening is how often something has happened.
type happening struct {
	Timestamp int64  `json:"timestamp"` // milliseconds since 1970, whole seconds
	Type      string `json:"type"`
	SubType   string `json:"subType,omitempty"`
	Count     uint64 `json:"count"`
}

type nspCount struct {
	Name         string `json:"name"`
	SocketsCount int    `json:"socketsCount"`
}

// started is when the process began, nearly.
var started = time.Now()

// nextStats is what is to be told of this server now, and whether somebody watches: else nothing is. What happened while
// nobody did is not told, since it would look as if all of it had happened in one second.
func (a *AdminUI) nextStats() (told serverStats, watched bool) {
	before := a.stats.watched
	if a.stats.watched = a.isWatched(); !a.stats.watched {
		return serverStats{}, false
	}
	now := a.server.Stats()
	if !before {
		a.stats.last = now
	}
	return a.since(now), true
}

// since tells of this server now, and what has happened since it was last told.
func (a *AdminUI) since(now socketio.Stats) serverStats {
	host, _ := os.Hostname() // unnamed then
	told := serverStats{
		ServerID: a.options.ServerID, Hostname: host, PID: os.Getpid(), Uptime: time.Since(started).Seconds(),
		ClientsCount: now.Engine.Polling + now.Engine.WebSocket, PollingClientsCount: now.Engine.Polling,
		AggregatedEvents: []happening{}, Namespaces: a.namespaces(),
	}
	last := a.stats.last
	a.stats.last = now
	second := time.Now().Truncate(time.Second).UnixMilli()
	add := func(kind, sub string, now, last uint64) {
		if now > last {
			told.AggregatedEvents = append(told.AggregatedEvents, happening{second, kind, sub, now - last})
		}
	}
	add("rawConnection", "", now.Engine.OpenedPolling+now.Engine.OpenedWebSocket, last.Engine.OpenedPolling+last.Engine.OpenedWebSocket)
	for reason, count := range now.Engine.Closed {
		add("rawDisconnection", string(reason), count, last.Engine.Closed[reason])
	}
	add("packetsIn", "", now.Engine.MessagesReceived, last.Engine.MessagesReceived)
	add("bytesIn", "", now.Engine.BytesReceived, last.Engine.BytesReceived)
	add("packetsOut", "", now.Engine.MessagesSent, last.Engine.MessagesSent)
	add("bytesOut", "", now.Engine.BytesSent, last.Engine.BytesSent)
	return told
}

// namespaces are the largest ones of this server.
func (a *AdminUI) namespaces() []nspCount {
	all := a.server.Namespaces()
	counts := make([]nspCount, len(all))
	for i, n := range all {
		counts[i] = nspCount{n.Name(), n.Len()}
	}
	slices.SortFunc(counts, func(x, y nspCount) int {
		return cmp.Or(cmp.Compare(y.SocketsCount, x.SocketsCount), cmp.Compare(x.Name, y.Name))
	})
	if len(counts) <= maxNamespaces {
		return counts
	}
	rest := nspCount{Name: fmt.Sprintf("(%d more)", len(counts)-maxNamespaces)}
	for _, c := range counts[maxNamespaces:] {
		rest.SocketsCount += c.SocketsCount
	}
	return append(counts[:maxNamespaces:maxNamespaces], rest)
}
