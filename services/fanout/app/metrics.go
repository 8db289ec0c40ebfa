package app

import (
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"

	"github.com/pona-realtime/pona/pkg/metrics"
	"github.com/pona-realtime/pona/pkg/service"
)

// measureLag adds how far the partitions, which are read together, are behind the stream.
func (a *App) measureLag() {
	promauto.With(a.registry).NewGaugeFunc(prometheus.GaugeOpts{
		Name: "pona_fanout_lag_events", Help: "Events stored that this fanout's partitions have not handled, all together.",
	}, func() float64 {
		if s := a.stream.Load(); s != nil {
			return float64(s.Lag())
		}
		return 0
	})
}

// summary is a fanout in a few numbers: GET /v1/metrics, and the line of the log.
type summary struct {
	UptimeSeconds   float64            `json:"uptimeSeconds"`
	Partitions      float64            `json:"partitions"`
	PartitionsOwned []uint32           `json:"partitionsOwned"`
	LagEvents       float64            `json:"lagEvents"`
	Peers           float64            `json:"peers"`
	Edges           float64            `json:"edges"`
	Bots            float64            `json:"bots"`
	Events          map[string]float64 `json:"events"`          // of bots, by what became of them
	EventsSent      float64            `json:"eventsSent"`      // to edges
	AverageStoring  float64            `json:"averageStoring"`  // ms NATS took to store an event, of the last minute
	AverageLatency  float64            `json:"averageLatency"`  // ms from an event's storing to its sending, of the last minute
	AverageBatch    float64            `json:"averageBatch"`    // events of a batch, of the last minute
	Commands        map[string]float64 `json:"commands"`        // of edges, by what became of them
	AverageCommand  float64            `json:"averageCommand"`  // ms from a command to its answer, of the last minute
	RouteQueueBytes float64            `json:"routeQueueBytes"` // that wait for edges
}

func (a *App) summarize(now, earlier metrics.Reading, uptime time.Duration) any {
	const ms = 1e3
	return summary{
		UptimeSeconds:   uptime.Seconds(),
		Partitions:      now.Sum("pona_fanout_partitions"),
		PartitionsOwned: a.owner.Owned(),
		LagEvents:       now.Sum("pona_fanout_lag_events"),
		Peers:           now.Sum("pona_fanout_peers"),
		Edges:           now.Sum("pona_fanout_edges"),
		Bots:            now.Sum("pona_fanout_bots"),
		Events:          now.By("outcome", "pona_fanout_published_events_total"),
		EventsSent:      now.Sum("pona_fanout_batch_events"),
		AverageStoring:  ms * now.MeanSince(earlier, "pona_fanout_store_duration_seconds"),
		AverageLatency:  ms * now.MeanSince(earlier, "pona_fanout_event_latency_seconds"),
		AverageBatch:    now.MeanSince(earlier, "pona_fanout_batch_events"),
		Commands:        now.By("outcome", "pona_fanout_commands_total"),
		AverageCommand:  ms * now.MeanSince(earlier, "pona_fanout_command_duration_seconds"),
		RouteQueueBytes: now.Sum("pona_fanout_route_queue_bytes"),
	}
}

// adminMux answers operators: health, metrics, profiles.
func (a *App) adminMux() *http.ServeMux {
	mux := a.health.AdminMux()
	metrics.Handle(mux, a.registry, a.summary)
	mux.Handle("GET /v1/report", &service.Reporter{
		Program: Program, Settings: &a.settings, Health: a.health, Metrics: a.summary.Now, Warnings: a.warnings,
	})
	return mux
}
