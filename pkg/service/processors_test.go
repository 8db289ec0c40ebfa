package service

import (
	"context"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

func TestPace(t *testing.T) {
	p := pace{}
	looks := func(times int, used, passed time.Duration, want bool) {
		t.Helper()
		for i := range times {
			if got := p.needsAll(used, passed); got != want {
				t.Fatalf("look %d: %v, want %v", i, got, want)
			}
		}
	}
	const on, third = lookEvery, 3 * lookEvery
	second := int((calmAfter + third - 1) / third)
	looks(second-1, on, third, true)
	looks(1000, on, third, false)
	looks(1, on, 2*on, true) // at once
	looks(second-1, on, third, true)
	looks(1, on, on/10, true) // on ten processors
	looks(1, on, time.Hour, false)
}

func TestProcessorsFollowTheNeed(t *testing.T) {
	usual := runtime.GOMAXPROCS(0)
	if usual == 1 {
		t.Skip("this machine has one processor")
	}
	var idle atomic.Bool
	var working sync.WaitGroup
	working.Go(func() { // without work there is nothing to look at
		for !idle.Load() {
			runtime.Gosched()
		}
	})
	defer working.Wait()
	defer idle.Store(true)
	for _, needed := range []bool{true, false, false, true, false} {
		ctx, cancel := context.WithCancel(t.Context())
		looks := 0
		adaptProcessors(ctx, func(used, passed time.Duration) bool {
			if used < lookEvery || passed <= 0 {
				t.Errorf("%v used in %v", used, passed)
			}
			if looks++; looks == 1 {
				return needed
			}
			if all := runtime.GOMAXPROCS(0) == usual; all != needed {
				t.Errorf("all processors are used: %v, needed: %v", all, needed)
			}
			cancel()
			return needed
		})
		if n := runtime.GOMAXPROCS(0); n != usual {
			t.Errorf("%d processors are left", n)
		}
	}
}

func TestWhoDecidesOnProcessors(t *testing.T) {
	for _, test := range []struct {
		setting, variable string
		want              bool
	}{{"adaptive", "", true}, {"all", "", false}, {"adaptive", "4", false}} {
		t.Setenv("GOMAXPROCS", test.variable)
		if got := (Scheduling{test.setting}).adaptive(); got != test.want {
			t.Errorf("%+v: adaptive %v", test, got)
		}
	}
}
