package app_test

import (
	"encoding/json"
	"net/http"
	"testing"

	"github.com/nats-io/nats-server/v2/server"

	"github.com/pona-realtime/pona/pkg/adapter/redistest"
	"github.com/pona-realtime/pona/services/fanout/app"
	"github.com/pona-realtime/pona/services/fanout/fanouttest"
)

// TestReportTellsWhichServersItUses, as far as they are there.
func TestReportTellsWhichServersItUses(t *testing.T) {
	nats, redis := fanouttest.StartNATS(t), redistest.Start(t)
	f := startReady(t, nats.URL(), func(s *app.Settings) { s.Redis = "redis://" + redis.Addr() })
	servers := func() map[string]string {
		t.Helper()
		client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: fanouttest.Patience}
		response, err := client.Get("http://" + f.AdminAddr() + "/v1/report")
		if err != nil {
			t.Fatal(err)
		}
		defer response.Body.Close() //nolint:errcheck // only read from
		var report struct{ Servers map[string]string }
		if err := json.NewDecoder(response.Body).Decode(&report); err != nil {
			t.Fatal(err)
		}
		return report.Servers
	}
	if got := servers(); got["nats"] != server.VERSION || got["redis"] == "" {
		t.Errorf("servers %v", got)
	}
	nats.Stop()
	awaitHealth(t, f, 503)
	if got := servers(); got["nats"] != "" || got["redis"] == "" {
		t.Errorf("without NATS: %v", got)
	}
}
