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
			f := fit(values, every)
			if f.tooShort(memoryLimit) {
				t.Errorf("%s, seed %d: too short to say, by %.0f, give or take %.0f", name, seed, f.growth(), f.doubt)
				break
			}
			if f.leaks(memoryLimit) != form.leaks {
				t.Errorf("%s, seed %d: leaks %v, want %v: grows from %.0f by %.0f, give or take %.0f", name, seed, !form.leaks, form.leaks, f.start, f.growth(), f.doubt)
				break
			}
		}
	}
}

// Of few values, or of such as count as few, nothing is said, whichever way they go.
func TestTrendOfTooLittle(t *testing.T) {
	for n := range 2*enough - 1 {
		flat, steep := make([]float64, n), make([]float64, n)
		for i := range n {
			flat[i], steep[i] = 1e9, float64(i)*1e9
		}
		if !fit(flat, time.Second).tooShort(memoryLimit) || !fit(steep, time.Second).tooShort(memoryLimit) {
			t.Errorf("something is said of %d values", n)
		}
	}
	bent := func(by float64) (values []float64) { // a line would not say how it goes on
		for i := range 300 {
			x := max(float64(i-150)/150, 0)
			values = append(values, 1e9+by*x*x)
		}
		return values
	}
	for _, test := range []struct {
		name   string
		values []float64
		short  bool
	}{
		{"as many as are needed", make([]float64, 2*enough), false},
		{"faster and faster", bent(1e9), true},
		{"faster and faster, by a trifle", bent(1e6), false},
	} {
		if f := fit(test.values, time.Second); f.tooShort(memoryLimit) != test.short || f.leaks(memoryLimit) {
			t.Errorf("%s: too short %v, leaks %v: %+v", test.name, f.tooShort(memoryLimit), f.leaks(memoryLimit), f)
		}
	}
}
