package gateway

import (
	"fmt"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/pona-realtime/pona/pkg/socketio"
	"github.com/pona-realtime/pona/services/edge/edgetest"
)

// BenchmarkNamespaceOfAnEmit is what it takes to find a guild's namespace among 10 000: by matching its name
// against the parent's pattern, as a server without a cache must, and as the gateway does, in the server's map.
func BenchmarkNamespaceOfAnEmit(b *testing.B) {
	const guilds = 10_000
	server := socketio.NewServer(socketio.Options{})
	defer server.Close(b.Context()) //nolint:errcheck // has no sessions
	for guild := range uint64(guilds) {
		server.Of(namespaceOf(175928847299117063 + guild))
	}
	b.Run("matched", func(b *testing.B) {
		b.ReportAllocs()
		for n := uint64(0); b.Loop(); n++ {
			name := namespaceOf(175928847299117063 + n%guilds)
			if !guildNamespace.MatchString(name) || server.Of(name) == nil {
				b.Fatal(name)
			}
		}
	})
	b.Run("cached", func(b *testing.B) {
		b.ReportAllocs()
		for n := uint64(0); b.Loop(); n++ {
			if server.Lookup(namespaceOf(175928847299117063+n%guilds)) == nil {
				b.Fatal("no namespace")
			}
		}
	})
}

// BenchmarkNamespaceOfAJoin is a client that joins a guild and leaves it again, alone: its namespace is made
// each time, or lingers and is found. The server's own time only; see "ns/op" for the round trips too.
func BenchmarkNamespaceOfAJoin(b *testing.B) {
	for _, linger := range []time.Duration{0, time.Minute} {
		b.Run(fmt.Sprint("linger ", linger), func(b *testing.B) {
			server := socketio.NewServer(socketio.Options{NamespaceLinger: linger})
			server.OfRegexp(regexp.MustCompile(`^/guild/\d+$`)).OnConnection(func(*socketio.Socket) {})
			listener := httptest.NewServer(server)
			defer listener.Close()
			defer server.Close(b.Context()) //nolint:errcheck // nothing is left
			c := edgetest.DialWebSocket(b, strings.TrimPrefix(listener.URL, "http://"))
			b.ReportAllocs()
			for b.Loop() {
				c.Connect("/guild/1", "")
				c.Joined("/guild/1")
				c.Leave("/guild/1")
			}
			stats := server.Stats()
			b.ReportMetric(float64(stats.Found)/float64(stats.Found+stats.Made), "found")
		})
	}
}
