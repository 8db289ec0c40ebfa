package main

import (
	"math/rand/v2"
	"testing"
	"time"
)

// Ten minutes, a value every two seconds, some hundred series of each form.
func TestTrendTellsLeaksFromNoise(t *testing.T) {
	const mib, every = 1 << 20, 2 * time.Second
	wave := 0.0
	for name, form := range map[string]struct {
		value func(seconds float64, random *rand.Rand) float64
		leaks bool
	}{
		"constant":                 {func(float64, *rand.Rand) float64 { return 100 * mib }, false},
		"flat with noise":          {func(_ float64, r *rand.Rand) float64 { return 100 * mib * (1 + 0.05*r.NormFloat64()) }, false},
		"filling up, then flat":    {func(s float64, r *rand.Rand) float64 { return mib * (min(s, 290)/4 + r.NormFloat64()) }, false},
		"collector's saw-tooth":    {func(s float64, r *rand.Rand) float64 { return 100 * mib * (1 + float64(int(s+r.Float64()*4)%40)/40) }, false},
		"slow saw-tooth":           {func(s float64, _ *rand.Rand) float64 { return 100 * mib * (1 + float64((int(s)+37)%130)/130) }, false},
		"wandering around":         {func(_ float64, r *rand.Rand) float64 { wave = 0.9*wave + mib*r.NormFloat64(); return 100*mib + wave }, false},
		"shrinking":                {func(s float64, _ *rand.Rand) float64 { return 100 * mib * (1 - s/6000) }, false},
		"growing by a trifle":      {func(s float64, _ *rand.Rand) float64 { return 10*mib + s*1000 }, false},
		"leak of 1 % a minute":     {func(s float64, r *rand.Rand) float64 { return 100 * mib * (1 + s/6000 + 0.01*r.NormFloat64()) }, true},
		"leak below a saw-tooth":   {func(s float64, r *rand.Rand) float64 { return 100 * mib * (1 + s/600 + float64(int(s)%20)/100) }, true},
		"leak in steps of a map's": {func(s float64, r *rand.Rand) float64 { return 100*mib + float64(int(s)/20)*2*mib + mib*r.NormFloat64() }, true},
	} {
		for seed := range uint64(100) {
			random := rand.New(rand.NewPCG(seed, 1))
			var values []float64
			for s := 0.0; s < 600; s += every.Seconds() {
				values = append(values, form.value(s, random))
			}
			if f := fit(values, every); f.leaks(memoryLimit) != form.leaks {
				t.Errorf("%s, seed %d: leaks %v, want %v: grows from %.0f by %.0f, give or take %.0f", name, seed, !form.leaks, form.leaks, f.start, f.growth(), f.doubt)
				break
			}
		}
	}
}

func TestTrendOfTooLittle(t *testing.T) {
	for n := range 8 {
		var values []float64
		for i := range n {
			values = append(values, float64(i)*1e9)
		}
		if f := fit(values, time.Second); n < 7 && f.leaks(memoryLimit) {
			t.Errorf("%d values: leaks %+v", n, f)
		}
	}
}
