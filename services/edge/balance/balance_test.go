package balance

import (
	"math"
	"testing"
	"time"
)

func TestExcess(t *testing.T) {
	b := New(Options{Tolerance: 0.2, Rate: 100, Interval: 5 * time.Second})
	for _, test := range []struct {
		name   string
		own    int
		counts []int
		want   float64 // sessions
	}{
		{"alone", 10_000, []int{10_000}, 0},
		{"even", 1000, []int{1000, 1000}, 0},
		{"within the tolerance", 1180, []int{1180, 1000, 1000}, 0},
		{"too few to move", 30, []int{30, 0}, 0},
		{"half of what is above the mean", 1000, []int{1000, 600, 500}, 150},
		{"no more than the rate", 10_000, []int{10_000, 0}, 500},
		{"below the mean", 100, []int{100, 1000}, 0},
	} {
		if got := b.excess(test.own, test.counts) * float64(test.own); math.Abs(got-test.want) > 0.001 {
			t.Errorf("%s: %v sessions, want %v", test.name, got, test.want)
		}
	}
}
