package scenario

import (
	"context"
	"slices"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/pona-realtime/pona/test/load/report"
)

// A run of 2.55 seconds with ten deliveries in each tenth of a second.
func TestSeriesHaveWholeSecondsOnly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := &run{Settings: &Settings{}, result: &report.Result{}}
		var delivered atomic.Int64
		r.watch("clients", "connected", func() float64 { return 7 })
		r.measure(t.Context(), func(context.Context, *run) error {
			r.watchRate("deliveries", delivered.Load)
			time.Sleep(50 * time.Millisecond) // not together with the watcher
			for range 25 {
				time.Sleep(100 * time.Millisecond)
				delivered.Add(10)
			}
			r.watchRate("too late", delivered.Load)
			return nil
		})
		for i, want := range []report.Series{
			{Name: "clients", Unit: "connected", Step: 1, Values: []float64{7, 7, 7}},
			{Name: "deliveries", Unit: "in the second", Step: 1, Values: []float64{0, 90, 100}},
			{Name: "too late", Unit: "in the second", Step: 1, Values: []float64{}},
		} {
			got := r.result.Series[i]
			if got.Name != want.Name || got.Unit != want.Unit || got.Step != want.Step || got.Values == nil || !slices.Equal(got.Values, want.Values) {
				t.Errorf("got %+v, want %+v", got, want)
			}
		}
	})
}
