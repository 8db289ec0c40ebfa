package check

import (
	"log/slog"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/rulefmt"
	"github.com/prometheus/prometheus/promql/parser"
)

// rule is one of deploy/monitoring/alerts.yaml.
type rule struct{ rulefmt.Rule }

// alerts are all of them, by name, as Prometheus reads them: expressions and templates too.
func alerts(t *testing.T) map[string]rule {
	t.Helper()
	file, errs := rulefmt.ParseFile("../monitoring/alerts.yaml", false, model.UTF8Validation, parser.NewParser(parser.Options{}), slog.New(slog.DiscardHandler))
	for _, err := range errs {
		t.Error(err)
	}
	if file == nil {
		t.FailNow()
	}
	all := map[string]rule{}
	for _, g := range file.Groups {
		for _, r := range g.Rules {
			if _, twice := all[r.Alert]; twice {
				t.Errorf("%s: twice", r.Alert)
			}
			all[r.Alert] = rule{r}
		}
	}
	return all
}

// fires evaluates a rule at each scrape, and says when the alert first fires: when its expression has had the same
// labels for as long as its "for" says. False where it never does.
func (r rule) fires(t *testing.T, series string) (after time.Duration, fired bool) {
	t.Helper()
	p, hold := loaded(t, series), time.Duration(r.For)
	since := map[uint64]time.Duration{}
	for after := time.Duration(0); after <= p.end; after += scrapeInterval {
		active := map[uint64]time.Duration{}
		for _, s := range p.ask(t, r.Expr, after) {
			began, was := since[s.Metric.Hash()]
			if !was {
				began = after
			}
			if after-began >= hold {
				return after, true
			}
			active[s.Metric.Hash()] = began
		}
		since = active
	}
	return 0, false
}

// situations are what each alert must tell and must not tell, by an hour or two of series.
var situations = []struct {
	alert, is, series string
	fires             bool
}{
	{"PonaAbsent", "all are there", `pona_edge_connections{instance="a"} 1x240
		pona_fanout_partitions{instance="b"} 64x240`, false},
	{"PonaAbsent", "no fanout", `pona_edge_connections{instance="a"} 1x240`, true},
	{"PonaAbsent", "no edge", `pona_fanout_partitions{instance="b"} 64x240`, true},

	{"PonaPartitionsWithoutOwner", "a fanout's partitions are taken over", `pona_fanout_partitions{instance="a"} 64x240
		pona_fanout_partitions{instance="b"} 64x20 stale
		pona_fanout_partitions_owned{instance="a"} 32x21 64x219
		pona_fanout_partitions_owned{instance="b"} 32x20 stale`, false},
	{"PonaPartitionsWithoutOwner", "they are not", `pona_fanout_partitions{instance="a"} 64x240
		pona_fanout_partitions_owned{instance="a"} 32x240
		pona_fanout_partitions_owned{instance="b"} 32x20 stale`, true},

	{"PonaFanoutLag", "a burst", `pona_fanout_lag_seconds{instance="a"} 0.5x20 2 17 32 0.5x200
		pona_fanout_lag_events{instance="a"} 0x20 9000x3 0x200`, false},
	{"PonaFanoutLag", "reading stands still, and NATS says nothing of new events", `pona_fanout_lag_seconds{instance="a"} 0.5x20 2+15x220
		pona_fanout_lag_events{instance="a"} 0x240`, true},
	{"PonaFanoutLag", "too many events", `pona_fanout_lag_seconds{instance="a"} 0.5x20 20x220
		pona_fanout_lag_events{instance="a"} 0+100x240`, true},

	{"PonaEventLatency", "all is fast", `pona_edge_event_latency_seconds_bucket{hop="whole", le="1"} 0+1000x240
		pona_edge_event_latency_seconds_bucket{hop="whole", le="2.5"} 0+1005x240
		pona_edge_event_latency_seconds_bucket{hop="whole", le="+Inf"} 0+1005x240
		pona_edge_event_latency_seconds_bucket{hop="stream", le="1"} 0x240
		pona_edge_event_latency_seconds_bucket{hop="stream", le="+Inf"} 0+1005x240`, false},
	{"PonaEventLatency", "nothing happens", `pona_edge_event_latency_seconds_bucket{hop="whole", le="1"} 7x240
		pona_edge_event_latency_seconds_bucket{hop="whole", le="+Inf"} 7x240`, false},
	{"PonaEventLatency", "one in fifty is slow", `pona_edge_event_latency_seconds_bucket{hop="whole", le="1"} 0+980x240
		pona_edge_event_latency_seconds_bucket{hop="whole", le="2.5"} 0+1000x240
		pona_edge_event_latency_seconds_bucket{hop="whole", le="+Inf"} 0+1000x240`, true},

	{"PonaEdgeAlone", "fanouts are upgraded", `pona_edge_fanouts_connected{instance="a"} 2x10 1x10 0 2x200`, false},
	{"PonaEdgeAlone", "one edge has none", `pona_edge_fanouts_connected{instance="a"} 2x240
		pona_edge_fanouts_connected{instance="b"} 2x20 0x220`, true},

	{"PonaReconnectStorm", "an edge's clients come to the others", `pona_edge_connects_total{instance="a", transport="polling"} 0+20x20 1000x4 1020+20x200
		pona_edge_admission_refused_total{instance="a", cause="rate"} 0x20 300x220
		pona_edge_connections{instance="a", transport="polling"} 1000x240`, false},
	{"PonaReconnectStorm", "nearly nobody is there", `pona_edge_connects_total{instance="a", transport="polling"} 0+60x240
		pona_edge_admission_refused_total{instance="a", cause="rate"} 0x240
		pona_edge_connections{instance="a", transport="polling"} 3x240`, false},
	{"PonaReconnectStorm", "many are there, some come and go, and an address is refused", `pona_edge_connects_total{instance="a", transport="polling"} 0+9000x240
		pona_edge_admission_refused_total{instance="a", cause="rate"} 0x240
		pona_edge_admission_refused_total{instance="a", cause="address"} 0+900x240
		pona_edge_connections{instance="a", transport="polling"} 60000x240`, false},
	{"PonaReconnectStorm", "all come again and again", `pona_edge_connects_total{instance="a", transport="polling"} 0+1000x240
		pona_edge_admission_refused_total{instance="a", cause="rate"} 0x240
		pona_edge_connections{instance="a", transport="polling"} 1000x240`, true},
	{"PonaReconnectStorm", "nobody stays", `pona_edge_connects_total{instance="a", transport="polling"} 0+1000x240
		pona_edge_admission_refused_total{instance="a", cause="rate"} 0x240
		pona_edge_connections{instance="a", transport="polling"} 0x240`, true},
	{"PonaReconnectStorm", "so many are there that the edge lets in less than a twentieth, and refuses the others", `pona_edge_connects_total{instance="a", transport="polling"} 0+30000x240
		pona_edge_admission_refused_total{instance="a", cause="rate"} 0+6000x240
		pona_edge_connections{instance="a", transport="polling"} 60000x240`, true},

	{"PonaSlowConsumers", "others leave", `pona_edge_disconnects_total{reason="transport close"} 0+900x240
		pona_edge_disconnects_total{reason="slow consumer"} 0+1x240`, false},
	{"PonaSlowConsumers", "many do not read", `pona_edge_disconnects_total{reason="slow consumer"} 0+2x240`, true},

	{"PonaSlowEdges", "none", `pona_fanout_slow_edges_cut_total{instance="a"} 3x240`, false},
	{"PonaSlowEdges", "one", `pona_fanout_slow_edges_cut_total{instance="a"} 3x20 4x220`, true},

	{"PonaCacheHitRate", "nine in ten", `pona_edge_cache_requests_total{cache="user", outcome="hit"} 0+90x240
		pona_edge_cache_requests_total{cache="user", outcome="miss"} 0+10x240
		pona_edge_cache_requests_total{cache="guild", outcome="hit"} 0+10x240
		pona_edge_cache_requests_total{cache="guild", outcome="miss"} 0+90x240`, false},
	{"PonaCacheHitRate", "few are asked for", `pona_edge_cache_requests_total{cache="user", outcome="hit"} 0+1x240
		pona_edge_cache_requests_total{cache="user", outcome="miss"} 0+9x240`, false},
	{"PonaCacheHitRate", "three in four", `pona_edge_cache_requests_total{cache="membership", outcome="hit"} 0+75x240
		pona_edge_cache_requests_total{cache="membership", outcome="miss"} 0+25x240`, true},

	{"PonaDiscordBudget", "some are spent, and others at once", `pona_edge_discord_invalid_budget{instance="a"} 500x240
		pona_edge_discord_invalid_left{instance="a"} 500x20 300x20 500x20 240 252+12x20 500x157`, false},
	{"PonaDiscordBudget", "of one edge most are spent", `pona_edge_discord_invalid_budget{instance="a"} 500x240
		pona_edge_discord_invalid_left{instance="a"} 500x240
		pona_edge_discord_invalid_budget{instance="b"} 500x240
		pona_edge_discord_invalid_left{instance="b"} 500x20 400-50x5 0+3x210`, true},

	{"PonaDiscordHeldBack", "Discord fails for a minute", `pona_edge_discord_held_back_total{instance="a", cause="breaker"} 0x20 50+50x4 250x215
		pona_edge_discord_held_back_total{instance="a", cause="budget"} 0x240
		pona_edge_discord_held_back_total{instance="a", cause="limit"} 0x20 1x220`, false},
	{"PonaDiscordHeldBack", "the budget is spent", `pona_edge_discord_held_back_total{instance="a", cause="budget"} 0x20 1+1x220`, true},
	{"PonaDiscordHeldBack", "Discord stays away", `pona_edge_discord_held_back_total{instance="a", cause="breaker"} 0x20 50+50x220`, true},

	{"PonaDiscordInvalidRequests", "of few edges, which spend all they may", `pona_edge_discord_invalid_requests_total{instance="a"} 0+25x240
		pona_edge_discord_invalid_requests_total{instance="b"} 0+25x240`, false},
	{"PonaDiscordInvalidRequests", "of all edges together too many", `pona_edge_discord_invalid_requests_total{instance="a"} 0+60x240
		pona_edge_discord_invalid_requests_total{instance="b"} 0+120x240`, true},

	{"PonaNamespaceGrowth", "so do guilds", `pona_edge_namespaces{instance="a"} 0+100x480
		pona_edge_guilds{instance="a"} 0+100x480`, false},
	{"PonaNamespaceGrowth", "they are left behind", `pona_edge_namespaces{instance="a"} 1000+100x480
		pona_edge_guilds{instance="a"} 1000x480`, true},

	{"PonaMemory", "the collector frees most of it", `go_memstats_heap_alloc_bytes{instance="a", job="edge"} 4e8 6e8 9e8 4e8 6e8 9e8 4e8 6e8 9e8 4e8x231
		go_gc_gomemlimit_bytes{instance="a", job="edge"} 1e9x240
		pona_build_info{instance="a", job="edge"} 1x240`, false},
	{"PonaMemory", "there is no limit", `go_memstats_heap_alloc_bytes{instance="a", job="edge"} 9e9x240
		go_gc_gomemlimit_bytes{instance="a", job="edge"} 9223372036854775807x240
		pona_build_info{instance="a", job="edge"} 1x240`, false},
	{"PonaMemory", "another program's", `go_memstats_heap_alloc_bytes{instance="c", job="other"} 9e8x240
		go_gc_gomemlimit_bytes{instance="c", job="other"} 1e9x240
		pona_build_info{instance="a", job="edge"} 1x240`, false},
	{"PonaMemory", "nothing can be freed", `go_memstats_heap_alloc_bytes{instance="a", job="edge"} 9e8x240
		go_gc_gomemlimit_bytes{instance="a", job="edge"} 1e9x240
		pona_build_info{instance="a", job="edge"} 1x240`, true},

	{"PonaLostRecoveries", "nearly all get what they missed", `pona_edge_recoveries_total{outcome="recovered"} 0+900x240
		pona_edge_recoveries_total{outcome="unknown"} 0+100x240`, false},
	{"PonaLostRecoveries", "the key differs", `pona_edge_recoveries_total{outcome="recovered"} 0+50x240
		pona_edge_recoveries_total{outcome="unknown"} 0+50x240`, true},

	{"PonaRedisTimeouts", "it answers", `pona_redis_requests_total{instance="a", outcome="ok"} 0+900x240`, false},
	{"PonaRedisTimeouts", "it does not", `pona_redis_requests_total{instance="a", outcome="timeout"} 0+1x240
		pona_redis_requests_total{instance="a", outcome="error"} 0+2x240`, true},

	{"PonaStoreFailures", "bots are refused", `pona_fanout_published_events_total{outcome="refused"} 0+5x240
		pona_fanout_published_events_total{outcome="failed"} 7x240`, false},
	{"PonaStoreFailures", "NATS is away", `pona_fanout_published_events_total{outcome="failed"} 0+5x240`, true},
}

func TestAlerts(t *testing.T) {
	known, p := alerts(t), scraped(t)
	guide, err := os.ReadFile("../../docs/troubleshooting.md")
	if err != nil {
		t.Fatal(err)
	}
	told := map[string]map[bool]bool{}
	for _, s := range situations {
		r, there := known[s.alert]
		if !there {
			t.Errorf("there is no %s", s.alert)
			continue
		}
		if after, fired := r.fires(t, s.series); fired != s.fires {
			t.Errorf("%s, %s: fires %v, after %s", s.alert, s.is, fired, after)
		}
		if told[s.alert] == nil {
			told[s.alert] = map[bool]bool{}
		}
		told[s.alert][s.fires] = true
	}
	for name, r := range known {
		if len(told[name]) != 2 {
			t.Errorf("%s: needs a situation in which it fires, and one in which it does not", name)
		}
		if r.Annotations["summary"] == "" || r.Annotations["description"] == "" || r.Labels["severity"] != "warning" && r.Labels["severity"] != "critical" {
			t.Errorf("%s: without summary, description or severity", name)
		}
		p.has(t, name, r.Expr)
		page, anchor, refers := strings.Cut(r.Annotations["runbook_url"], "#")
		heading := "\n### " + strings.ReplaceAll(anchor, "-", " ") + "\n"
		if refers && (page != "https://github.com/pona-realtime/pona/blob/main/docs/troubleshooting.md" || !strings.Contains(strings.ToLower(string(guide)), heading)) {
			t.Errorf("%s: docs/troubleshooting.md has nothing of %s", name, r.Annotations["runbook_url"])
		}
	}
}
