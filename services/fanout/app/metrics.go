package app

import (
	"context"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"

	"github.com/pona-realtime/pona/pkg/metrics"
	"github.com/pona-realtime/pona/pkg/service"
	"github.com/pona-realtime/pona/services/fanout/stream"
)

// measureLag adds how far the partitions, which are read together, are behind the stream. A fanout that has not opened
// it has none, and is behind in none.
func (a *App) measureLag() {
	make := promauto.With(a.registry)
	lag := func(value func(stream.Lag) float64) func() float64 {
		return func() float64 {
			if s := a.stream.Load(); s != nil {
				return value(s.Lag())
			}
			return 0
		}
	}
	make.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "pona_fanout_lag_events", Help: "Events stored that this fanout's partitions have not handled, all together; as NATS said last, which is asked every three seconds.",
	}, lag(func(l stream.Lag) float64 { return float64(l.Events) }))
	make.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "pona_fanout_lag_seconds", Help: "Time since all events stored by then are known to have been handled: three at most, or more when events are handled late, reading stands still or NATS does not answer.",
	}, lag(func(l stream.Lag) float64 { return l.Time.Seconds() }))
}

// summary is a fanout in a few numbers: GET /v1/metrics, and the line of the log.
type summary struct {
	UptimeSeconds   float64            `json:"uptimeSeconds"`
	Partitions      float64            `json:"partitions"`
	PartitionsOwned []uint32           `json:"partitionsOwned"`
	LagEvents       float64            `json:"lagEvents"`
	LagSeconds      float64            `json:"lagSeconds"`
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
		LagSeconds:      now.Sum("pona_fanout_lag_seconds"),
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
		Servers: map[string]func(context.Context) string{"nats": a.nats.version, "redis": a.redis.Version},
	})
	return mux
}
