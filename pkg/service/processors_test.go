package service

import (
	"context"
	"runtime"
	"testing"
	"time"
)

func TestPace(t *testing.T) {
	const on = lookEvery // a look in time
	p := pace{}
	looks := func(times int, used, passed time.Duration, want bool) {
		t.Helper()
		for i := range times {
			if got := p.needsAll(used, passed); got != want {
				t.Fatalf("look %d: %v, want %v", i, got, want)
			}
		}
	}
	second := int(calmAfter / on)
	looks(second-1, on/3, on, true)
	looks(1000, on/3, on, false)
	looks(1, on/2, on, true) // at once
	looks(second-1, 0, on, true)
	looks(1, 3*on, on, true) // on several processors
	looks(second-1, 0, on, true)
	looks(3, 0, on, false)
	looks(1, on/10, 2*on, true) // late, because others hold the processor
	looks(second-1, on/10, on, true)
	looks(1, 0, on, false)
}

func TestProcessorsFollowTheNeed(t *testing.T) {
	usual := runtime.GOMAXPROCS(0)
	if usual == 1 {
		t.Skip("this machine has one processor")
	}
	for _, needed := range []bool{true, false, false, true, false} {
		ctx, cancel := context.WithCancel(t.Context())
		looks := 0
		adaptProcessors(ctx, func(used, passed time.Duration) bool {
			if used < 0 || passed <= 0 {
				t.Errorf("%v used of %v", used, passed)
			}
			if looks++; looks == 1 {
				return needed
			}
			if all := runtime.GOMAXPROCS(0) == usual; all != needed {
				t.Errorf("all processors are used: %v, needed: %v", all, needed)
			}
			cancel()
			return !needed
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
