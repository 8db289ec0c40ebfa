package app_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"
	"github.com/prometheus/client_golang/prometheus/testutil/promlint"

	"github.com/pona-realtime/pona/services/fanout/fanouttest"
	"github.com/pona-realtime/pona/services/fanout/stream"
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

// TestReadingStandsStill pauses the consumer that reads for all partitions. Their leases hold, and nothing else tells of it.
func TestReadingStandsStill(t *testing.T) {
	n := fanouttest.StartNATS(t)
	f := startReady(t, n.URL())
	js, err := jetstream.New(n.Connect())
	if err != nil {
		t.Fatal(err)
	}
	events, err := js.Stream(t.Context(), stream.Name)
	if err != nil {
		t.Fatal(err)
	}
	each := func(do func(consumer string) error) {
		t.Helper()
		for consumer := range events.ListConsumers(t.Context()).Info() {
			if err := do(consumer.Name); err != nil && !errors.Is(err, jetstream.ErrConsumerNotFound) {
				t.Fatal(err)
			}
		}
	}
	var page struct {
		PartitionsOwned       []int
		LagEvents, LagSeconds float64
	}
	await := func(what string, is func() bool) {
		t.Helper()
		for deadline := time.Now().Add(fanouttest.Patience); ; time.Sleep(50 * time.Millisecond) {
			if err := json.Unmarshal(f.get(t, "/v1/metrics"), &page); err != nil {
				t.Fatal(err)
			}
			if is() {
				return
			}
			if time.Now().After(deadline) {
				t.Fatalf("%s: %+v", what, page)
			}
		}
	}
	bot := fanouttest.NewBot(t, f.GRPCAddr())
	bot.Publish(fanouttest.Volume(guild, 1))
	await("all is well", func() bool { return page.LagEvents == 0 && page.LagSeconds < 1 })
	published := 1
	await("reading stands still", func() bool {
		if page.LagEvents == 0 { // another consumer may just have taken the place of one that is paused
			each(func(consumer string) error {
				_, err := events.PauseConsumer(t.Context(), consumer, time.Now().Add(time.Hour))
				return err
			})
			published++
			bot.Publish(fanouttest.Volume(guild, published))
		}
		return page.LagEvents > 0 && page.LagSeconds > 5 && len(page.PartitionsOwned) == 8
	})
	each(func(consumer string) error {
		_, err := events.ResumeConsumer(t.Context(), consumer)
		return err
	})
	await("it goes on", func() bool { return page.LagEvents == 0 && page.LagSeconds < 1 })
}
