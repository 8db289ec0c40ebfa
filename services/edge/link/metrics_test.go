package link

import (
	"math"
	"slices"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/pona-realtime/pona/pkg/metrics"
	edgev1 "github.com/pona-realtime/pona/proto/pona/edge/v1"
	playerv1 "github.com/pona-realtime/pona/proto/pona/player/v1"
	"github.com/pona-realtime/pona/services/edge/edgetest"
)

// writer hands over what it is to call when an event has been written.
type writer chan func(sockets, bytes int)

func (writer) Snapshot(*edgev1.Snapshot) {}

func (w writer) Deliver(_ *edgev1.Delivery, _ *playerv1.Event, written func(sockets, bytes int)) {
	w <- written
}

const latency = "pona_edge_event_latency_seconds"

var hops = []string{"stream", "fanout", "link", "edge"}

// stored is an event that was published and stored that long ago; 0: nobody says when.
func stored(sequence uint64, published, stored time.Duration) *edgev1.Delivery {
	event := edgetest.Volume("1")
	if published != 0 {
		event.PublishedAtNs = time.Now().Add(-published).UnixNano()
	}
	d := edgetest.Delivery(7, sequence, event)
	d.StoredAtNs = time.Now().Add(-stored).UnixNano()
	return d
}

// TestLatencyIsThatOfTheWrite plays a fanout, and writes to the listeners a while after each event has come.
func TestLatencyIsThatOfTheWrite(t *testing.T) {
	f, w, r := edgetest.StartFanout(t), make(writer, 16), prometheus.NewRegistry()
	l := runTo(t, w, Options{EdgeID: "edge-1", Fanouts: []string{f.Addr()}, Metrics: r})
	l.Subscribe(7)
	s := asked(t, f, -1)
	s.Snapshot(7, 10, nil)

	s.Batch(stored(11, 50*time.Millisecond, 30*time.Millisecond))
	written, came := <-w, time.Now()
	now := metrics.Read(r)
	for _, hop := range append(hops, "whole") {
		if n := now.Count(latency, "hop", hop); n != 0 {
			t.Errorf("%v events have passed %s, which nobody has been written", n, hop)
		}
	}
	writing := time.Since(came)
	written(64, 1000)
	now = metrics.Read(r)
	var sum float64
	for _, hop := range hops {
		if n := now.Count(latency, "hop", hop); n != 1 {
			t.Errorf("%v events have passed %s", n, hop)
		}
		sum += now.Sum(latency, "hop", hop)
	}
	if whole := now.Sum(latency, "hop", "whole"); math.Abs(sum-whole) > 1e-3 || whole < (50*time.Millisecond+writing).Seconds() { // the clock may be set meanwhile
		t.Errorf("the hops are %v s together, the whole is %v s", sum, whole)
	}
	if edge := now.Sum(latency, "hop", "edge"); edge < writing.Seconds() {
		t.Errorf("written after %v s", edge)
	}
	if fanout := now.Sum(latency, "hop", "fanout"); fanout < .030 || fanout > .030+10 {
		t.Errorf("%v s from storing to sending", fanout)
	}

	// What is for nobody, and what has no time of its own.
	s.Batch(stored(12, time.Millisecond, time.Millisecond), edgetest.Delivery(7, 0, edgetest.Position("1")))
	(<-w)(0, 0)
	if written := <-w; written != nil {
		t.Error("a position is measured")
	}
	if n := metrics.Read(r).Count(latency); n != 5 {
		t.Errorf("%v observations, want those of one event", n)
	}
}

// TestTimesThatAreNone has bots that do not say when, in milliseconds, or by a clock that is wrong.
func TestTimesThatAreNone(t *testing.T) {
	came := time.Now()
	for name, test := range map[string]struct {
		published, stored, sent int64
		known                   []string
	}{
		"all known":       {came.Add(-time.Second).UnixNano(), came.UnixNano(), came.UnixNano(), []string{"stream", "fanout", "link", "edge", "whole"}},
		"a little ahead":  {came.Add(mostAhead / 2).UnixNano(), came.UnixNano(), came.UnixNano(), []string{"stream", "fanout", "link", "edge", "whole"}},
		"late":            {came.Add(-mostAge + time.Minute).UnixNano(), came.UnixNano(), came.UnixNano(), []string{"stream", "fanout", "link", "edge", "whole"}},
		"not said":        {0, came.UnixNano(), came.UnixNano(), []string{"fanout", "link", "edge"}},
		"milliseconds":    {came.UnixMilli(), came.UnixNano(), came.UnixNano(), []string{"fanout", "link", "edge"}},
		"microseconds":    {came.UnixMicro(), came.UnixNano(), came.UnixNano(), []string{"fanout", "link", "edge"}},
		"tomorrow":        {came.Add(24 * time.Hour).UnixNano(), came.UnixNano(), came.UnixNano(), []string{"fanout", "link", "edge"}},
		"long ago":        {came.Add(-2 * mostAge).UnixNano(), came.UnixNano(), came.UnixNano(), []string{"fanout", "link", "edge"}},
		"before 1970":     {-1, came.UnixNano(), came.UnixNano(), []string{"fanout", "link", "edge"}},
		"the end of time": {math.MaxInt64, came.UnixNano(), came.UnixNano(), []string{"fanout", "link", "edge"}},
		"an older fanout": {came.Add(-time.Second).UnixNano(), came.UnixNano(), 0, []string{"stream", "edge", "whole"}},
	} {
		r := prometheus.NewRegistry()
		m := newMeasured(r)
		m.written(&edgev1.Delivery{Sequence: 1, StoredAtNs: test.stored}, test.published, test.sent, came)(1, 1)
		now := metrics.Read(r)
		for _, hop := range append(hops, "whole") {
			want := 0.
			if slices.Contains(test.known, hop) {
				want = 1
			}
			if got := now.Count(latency, "hop", hop); got != want {
				t.Errorf("%s: %v observations of %s, want %v", name, got, hop, want)
			}
			if sum := now.Sum(latency, "hop", hop); sum > mostAge.Seconds() {
				t.Errorf("%s: %v s in %s", name, sum, hop)
			}
		}
	}
}

// TestMeasuringCostsOneAllocation is what an event pays beside the observations.
func TestMeasuringCostsOneAllocation(t *testing.T) {
	m, d, came := newMeasured(nil), &edgev1.Delivery{Sequence: 1, StoredAtNs: 1}, time.Now()
	if allocs := testing.AllocsPerRun(100, func() { m.written(d, came.UnixNano(), came.UnixNano(), came)(1, 1) }); allocs > 1 {
		t.Errorf("%v allocations", allocs)
	}
}
