package app

import (
	"net/http"
	"strings"
	"testing"

	"github.com/pona-realtime/pona/pkg/metrics"
	"github.com/pona-realtime/pona/services/edge/edgetest"
)

func TestTooManyConnectionsAreRefused(t *testing.T) {
	s := local(t)
	withFanout(t, &s)
	s.GuildSockets, s.ConnectRate = 1, 2
	a := started(t, s)
	first := edgetest.DialWebSocket(t, a.Addr())
	first.Connect(guild100, as(1))
	first.Joined(guild100)
	second := edgetest.DialWebSocket(t, a.Addr())
	second.Connect(guild100, as(2))
	if p := second.Next(); p.Type != edgetest.ConnectError || !strings.HasPrefix(string(p.Data), `{"message":"too many connections","data":{"retryAfterMs":`) {
		t.Errorf("got %s", p)
	}
	second.Connect("/guild/101", as(2))
	second.Joined("/guild/101")
	for range 100 { // in less than 50 s
		r, err := http.Get("http://" + a.Addr() + "/socket.io/?EIO=4&transport=polling")
		if err != nil {
			t.Fatal(err)
		}
		r.Body.Close() //nolint:errcheck // only its head is read
		if r.StatusCode == http.StatusServiceUnavailable && r.Header.Get("Retry-After") != "" {
			counted := metrics.Read(a.registry).By("cause", "pona_edge_admission_refused_total")
			if counted["rate"] != 1 || counted["guild"] != 1 || counted["address"] != 0 {
				t.Errorf("it was counted as %v", counted)
			}
			return
		}
	}
	t.Error("a hundred sessions came in")
}
