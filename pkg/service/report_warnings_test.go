package service

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"
)

// line is what a kept warning shows.
type line struct {
	Time                       time.Time
	Level, Msg, Component, Cut string
	Client                     int
}

// lineOf reads one.
func lineOf(t *testing.T, text json.RawMessage) (l line) {
	t.Helper()
	if err := json.Unmarshal(text, &l); err != nil {
		t.Fatalf("%v: %s", err, text)
	}
	return l
}

// TestAStormLeavesOtherWarnings: what is the same is kept once, with its count and its first and last.
func TestAStormLeavesOtherWarnings(t *testing.T) {
	log, warnings := Keep(slog.New(slog.DiscardHandler))
	gateway, link := log.With("component", "gateway"), log.With("component", "link")
	link.Warn("lost")
	log.Warn("could not join", "component", "another's")
	for i := range 10_000 {
		gateway.Warn("could not join", "client", i)
	}
	gateway.Error("could not join")
	log.With("fanout", "a").Warn("lost") // of no component
	got := warnings.list()
	var seen []string
	for _, w := range got {
		l := lineOf(t, w.First)
		seen = append(seen, fmt.Sprintf("%d %s %s %s", w.Count, l.Level, l.Component, l.Msg))
		if (w.Last != nil) != (w.Count > 1) {
			t.Errorf("%d times, and the last is %s", w.Count, w.Last)
		}
	}
	want := "1 WARN link lost; 1 WARN another's could not join; 10000 WARN gateway could not join; 1 ERROR gateway could not join; 1 WARN  lost"
	if strings.Join(seen, "; ") != want {
		t.Errorf("kept %s, want %s", strings.Join(seen, "; "), want)
	}
	first, last := lineOf(t, got[2].First), lineOf(t, got[2].Last)
	if first.Client != 0 || last.Client != 9999 || first.Time.IsZero() || last.Time.Before(first.Time) {
		t.Errorf("from %+v to %+v", first, last)
	}
	link.Warn("lost")
	if got = warnings.list(); lineOf(t, got[len(got)-1].First).Component != "link" || got[len(got)-1].Count != 2 {
		t.Errorf("the last is %+v", got[len(got)-1])
	}
}

func TestWarningsAreBounded(t *testing.T) {
	log, warnings := Keep(slog.New(slog.DiscardHandler))
	for i := range keptWarnings + 5 {
		log.Warn(fmt.Sprint("number ", i))
	}
	if got := warnings.list(); len(got) != keptWarnings || lineOf(t, got[0].First).Msg != "number 5" {
		t.Errorf("%d warnings, the first %s", len(got), got[0].First)
	}
	for range 3 {
		log.With("component", strings.Repeat("ü", maxWarning)).Warn(strings.Repeat("x", 2*maxWarning), "more", strings.Repeat("y", maxWarning))
	}
	got := warnings.list()
	long := got[len(got)-1]
	if l := lineOf(t, long.Last); long.Count != 3 || l.Cut == "" || l.Time.IsZero() || l.Level != "WARN" || !strings.HasPrefix(l.Msg, "xxx") || !strings.HasPrefix(l.Component, "üü") {
		t.Errorf("%d times, at last %s", long.Count, long.Last)
	}
	if len(long.First) > maxWarning || len(long.Last) > maxWarning {
		t.Errorf("%d and %d bytes", len(long.First), len(long.Last))
	}
}

func TestWarningsAreKeptByManyAtOnce(t *testing.T) {
	log, warnings := Keep(slog.New(slog.DiscardHandler))
	var writing sync.WaitGroup
	for i := range 8 {
		writing.Go(func() {
			for range 500 {
				log.Warn(fmt.Sprint(i % 4))
				_ = warnings.list()
			}
		})
	}
	writing.Wait()
	for _, w := range warnings.list() {
		if w.Count != 1000 {
			t.Errorf("%d times %s", w.Count, w.First)
		}
	}
}
