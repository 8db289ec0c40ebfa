package metrics

import (
	"context"
	"encoding/json"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"go.uber.org/goleak"

	"github.com/pona-realtime/pona/pkg/settings"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var build = settings.Build{Version: "v1", Commit: "0123", Go: "go1"}

func TestReading(t *testing.T) {
	r := NewRegistry("clock", build)
	hits := CacheRequests(r, "guild", "hit")
	hits.Add(2)
	CacheRequests(r, "guild", "miss").Add(1)
	CacheRequests(r, "user", "miss").Add(2)
	h := promauto.With(r).NewHistogram(prometheus.HistogramOpts{Name: "pona_clock_tick_seconds", Help: "Ticks.", Buckets: Latency})
	h.Observe(1)
	earlier := Read(r)
	hits.Inc()
	h.Observe(2)
	h.Observe(4)
	now := Read(r)
	for name, is := range map[string][2]float64{
		"all":              {now.Sum(cacheName), 6},
		"guild":            {now.Sum(cacheName, "cache", "guild"), 4},
		"guild hits":       {now.Sum(cacheName, "cache", "guild", "outcome", "hit"), 3},
		"missing":          {now.Sum("pona_none"), 0},
		"by cache":         {now.By("cache", cacheName)["guild"], 4},
		"since, by cache":  {now.BySince(earlier, "cache", cacheName)["guild"], 1},
		"nothing since":    {now.BySince(now, "cache", cacheName, "outcome", "hit")["guild"], 0},
		"ticks":            {now.Count("pona_clock_tick_seconds"), 3},
		"mean":             {now.MeanSince(earlier, "pona_clock_tick_seconds"), 3},
		"mean of nothing":  {now.MeanSince(now, "pona_clock_tick_seconds"), 0},
		"sum of histogram": {now.Sum("pona_clock_tick_seconds"), 7},
		"build":            {now.Sum("pona_build_info", "program", "clock", "version", "v1"), 1},
	} {
		if is[0] != is[1] {
			t.Errorf("%s: %v, want %v", name, is[0], is[1])
		}
	}
	if problems, err := testutil.GatherAndLint(r); err != nil || len(problems) > 0 {
		t.Error(problems, err)
	}
}

// TestSummaryWindow reads means over between one and two minutes, however often it is looked at.
func TestSummaryWindow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := prometheus.NewRegistry()
		ticks := promauto.With(r).NewHistogram(prometheus.HistogramOpts{Name: "ticks", Help: "Ticks."})
		s := NewSummary(r, func(now, earlier Reading, _ time.Duration) any { return now.MeanSince(earlier, "ticks") })
		ticks.Observe(100)
		if mean := s.Now(); mean != 100.0 {
			t.Errorf("at first %v", mean)
		}
		for range 13 {
			time.Sleep(10 * time.Second)
			ticks.Observe(2)
			s.Now()
		}
		if mean := s.Now(); mean != 2.0 {
			t.Errorf("after two minutes %v", mean)
		}
	})
}

func TestSummaryLog(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := NewSummary(prometheus.NewRegistry(), func(_, _ Reading, up time.Duration) any {
			return struct {
				Uptime  float64            `json:"uptimeSeconds"`
				Sent    float64            `json:"messagesSent"`
				Mean    float64            `json:"averageLatency"`
				Reasons map[string]float64 `json:"disconnects"`
				Owned   []uint32           `json:"owned"`
				None    map[string]float64 `json:"none"`
			}{up.Seconds(), 12345678, 0.25, map[string]float64{"ping timeout": 2}, []uint32{1, 2}, map[string]float64{}}
		})
		var out, text strings.Builder
		done := make(chan struct{})
		log := slog.New(slog.NewMultiHandler(slog.NewJSONHandler(&out, nil), slog.NewTextHandler(&text, nil)))
		s.Log(t.Context(), log, 0) // never, so that it returns
		ctx, cancel := context.WithTimeout(t.Context(), 150*time.Second)
		defer cancel()
		go func() { defer close(done); s.Log(ctx, log, time.Minute) }()
		<-done
		for form, lines := range map[string]int{
			`"metrics":{"uptimeSeconds":60,"messagesSent":12345678,"averageLatency":0.25,"disconnects":{"ping timeout":2},"owned":[1,2],"none":{}}}`:                                strings.Count(out.String(), "\n"),
			`metrics.uptimeSeconds=60 metrics.messagesSent=12345678 metrics.averageLatency=0.25 metrics.disconnects="{\"ping timeout\":2}" metrics.owned="[1,2]" metrics.none="{}"`: strings.Count(text.String(), "\n"),
		} {
			if !strings.Contains(out.String()+text.String(), form) || lines != 2 {
				t.Errorf("%d lines, and no %s: %s%s", lines, form, out.String(), text.String())
			}
		}
	})
}

func TestPages(t *testing.T) {
	r := NewRegistry("clock", build)
	mux := http.NewServeMux()
	Handle(mux, r, NewSummary(r, func(now, _ Reading, _ time.Duration) any {
		return map[string]float64{"build": now.Sum("pona_build_info")}
	}))
	get := func(path string) string {
		w := httptest.NewRecorder()
		mux.ServeHTTP(w, httptest.NewRequest(http.MethodGet, path, nil))
		return w.Body.String()
	}
	body := get("/metrics")
	for _, name := range []string{ // those of others that dashboards and alerts ask for
		"pona_build_info{", "go_goroutines ", "go_memstats_heap_alloc_bytes ", "go_gc_gomemlimit_bytes ", "go_sched_gomaxprocs_threads ",
		"process_cpu_seconds_total ", "process_resident_memory_bytes ", "process_open_fds ",
	} {
		if !strings.Contains(body, "\n"+name) {
			t.Errorf("/metrics has no %s: %s", name, body)
		}
	}
	for path, want := range map[string]string{"/live/": "live.js", "/live/live.js": "../v1/metrics", "/live/live.css": "#grid"} {
		if body := get(path); !strings.Contains(body, want) {
			t.Errorf("%s: no %s in %q", path, want, body)
		}
	}
	var page map[string]float64
	if err := json.Unmarshal([]byte(get("/v1/metrics")), &page); err != nil || page["build"] != 1 {
		t.Errorf("/v1/metrics: %v, %v", page, err)
	}
}

func TestClocksThatDiffer(t *testing.T) {
	now := time.Now()
	if s := Since(now.Add(time.Second), now); s != 0 {
		t.Errorf("%v s", s)
	}
	if s := Since(now, now.Add(time.Second)); s != 1 {
		t.Errorf("%v s", s)
	}
}
