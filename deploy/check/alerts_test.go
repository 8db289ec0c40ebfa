package check

import (
	"cmp"
	"os"
	"strings"
	"testing"
	"time"

	"sigs.k8s.io/yaml"
)

// rule is one of deploy/monitoring/alerts.yaml.
type rule struct {
	Alert, Expr, For    string
	Labels, Annotations map[string]string
}

// alerts are all of them, by name.
func alerts(t *testing.T) map[string]rule {
	t.Helper()
	text, err := os.ReadFile("../monitoring/alerts.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var file struct {
		Groups []struct {
			Name  string
			Rules []rule
		}
	}
	if err := yaml.UnmarshalStrict(text, &file); err != nil {
		t.Fatal(err)
	}
	all := map[string]rule{}
	for _, g := range file.Groups {
		for _, r := range g.Rules {
			if _, twice := all[r.Alert]; twice {
				t.Errorf("%s: twice", r.Alert)
			}
			all[r.Alert] = r
		}
	}
	return all
}

// fires evaluates a rule at each scrape, and says when the alert first fires: when its expression has had the same
// labels for as long as its "for" says. False where it never does.
func (r rule) fires(t *testing.T, series string) (after time.Duration, fired bool) {
	t.Helper()
	p := loaded(t, series)
	hold, err := time.ParseDuration(cmp.Or(r.For, "0s"))
	if err != nil {
		t.Fatalf("%s: %v", r.Alert, err)
	}
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

	{"PonaFanoutLag", "a burst", `pona_fanout_lag_events{instance="a"} 0x20 9000x4 0x200`, false},
	{"PonaFanoutLag", "too many events", `pona_fanout_lag_events{instance="a"} 0+100x240`, true},

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
		pona_edge_connections{instance="a", transport="polling"} 1000x240`, false},
	{"PonaReconnectStorm", "nearly nobody is there", `pona_edge_connects_total{instance="a", transport="polling"} 0+200x240
		pona_edge_connections{instance="a", transport="polling"} 50x240`, false},
	{"PonaReconnectStorm", "all come again and again", `pona_edge_connects_total{instance="a", transport="polling"} 0+1000x240
		pona_edge_connections{instance="a", transport="polling"} 1000x240`, true},

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

	{"PonaDiscordInvalidRequests", "most calls are fine", `pona_edge_discord_requests_total{status="200"} 0+5000x240
		pona_edge_discord_requests_total{status="401"} 0+100x240`, false},
	{"PonaDiscordInvalidRequests", "of all edges together too many", `pona_edge_discord_requests_total{instance="a", status="401"} 0+60x240
		pona_edge_discord_requests_total{instance="b", status="403"} 0+60x240
		pona_edge_discord_requests_total{instance="b", status="429"} 0+60x240`, true},

	{"PonaNamespaceGrowth", "so do sockets", `pona_edge_namespaces{instance="a"} 0+100x480
		pona_edge_sockets{instance="a"} 0+100x480`, false},
	{"PonaNamespaceGrowth", "they are left behind", `pona_edge_namespaces{instance="a"} 1000+100x480
		pona_edge_sockets{instance="a"} 1000x480`, true},

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
