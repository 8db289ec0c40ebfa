package app_test

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus/testutil/promlint"

	"github.com/pona-realtime/pona/services/fanout/fanouttest"
)

// get asks a fanout's admin port.
func (f *fanout) get(t *testing.T, path string) []byte {
	t.Helper()
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: fanouttest.Patience}
	response, err := client.Get("http://" + f.AdminAddr() + path)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close() //nolint:errcheck // only read from
	body, err := io.ReadAll(response.Body)
	if err != nil || response.StatusCode != http.StatusOK {
		t.Fatalf("%s: %d, %v", path, response.StatusCode, err)
	}
	return body
}

// TestMetrics publishes and delivers, and finds that in the metrics.
func TestMetrics(t *testing.T) {
	f := startReady(t, fanouttest.StartNATS(t).URL())
	edge := listen(t, f, "edge-1")
	bot := fanouttest.NewBot(t, f.GRPCAddr())
	event := fanouttest.Volume(guild, 1)
	bot.Publish(event)
	bot.Publish(event)
	bot.Publish(fanouttest.Position(guild, "1"))
	edge.AwaitEvents(guild, 1)

	text := f.get(t, "/metrics")
	for _, want := range []string{
		`pona_fanout_published_events_total{outcome="stored"} 1`,
		`pona_fanout_published_events_total{outcome="duplicate"} 1`,
		`pona_fanout_published_events_total{outcome="position"} 1`,
		`pona_fanout_published_events_total{outcome="failed"} 0`,
		"pona_fanout_partitions_owned 8", "pona_fanout_partitions 8", "pona_fanout_lag_events 0", "pona_fanout_edges 1",
		"pona_fanout_event_latency_seconds_count 1", "pona_fanout_store_duration_seconds_count 2",
	} {
		if !strings.Contains(string(text), "\n"+want+"\n") {
			t.Errorf("no %s", want)
		}
	}
	problems, err := promlint.New(bytes.NewReader(text)).Lint()
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range problems {
		t.Errorf("%s: %s", p.Metric, p.Text)
	}

	var page struct {
		Owned  []int              `json:"partitionsOwned"`
		Events map[string]float64 `json:"events"`
		Edges  int                `json:"edges"`
	}
	if err := json.Unmarshal(f.get(t, "/v1/metrics"), &page); err != nil {
		t.Fatal(err)
	}
	if len(page.Owned) != 8 || page.Events["stored"] != 1 || page.Edges != 1 {
		t.Errorf("/v1/metrics: %+v", page)
	}
}
