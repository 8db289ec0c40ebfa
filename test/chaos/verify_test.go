package main

import "testing"

func TestVerifier(t *testing.T) {
	joined := func(v *verifier) {
		v.connect(false)
		v.snapshot(3)
	}
	for _, c := range []struct {
		name string
		log  func(v *verifier)
		want tally
	}{
		{"in order", func(v *verifier) { v.event(4); v.event(5) }, tally{Events: 2}},
		{"one left out", func(v *verifier) { v.event(5) }, tally{Events: 1, Lost: 1, Unannounced: 1}},
		{"one twice", func(v *verifier) { v.event(4); v.event(4) }, tally{Events: 2, Duplicated: 1}},
		{"two exchanged", func(v *verifier) { v.event(5); v.event(4) }, tally{Events: 2, Lost: 1, Unannounced: 1, Reordered: 1}},
		{"recovered", func(v *verifier) { v.event(4); v.disconnect(); v.connect(true); v.event(5) }, tally{Events: 2, Recovered: 1}},
		{"recovered with a gap", func(v *verifier) { v.disconnect(); v.connect(true); v.event(5) }, tally{Events: 1, Recovered: 1, Lost: 1, Unannounced: 1}},
		{"a gap announced", func(v *verifier) { v.disconnect(); v.connect(false); v.snapshot(9); v.event(10) }, tally{Events: 1, Snapshots: 1}},
		{"an event before its snapshot", func(v *verifier) { v.disconnect(); v.connect(false); v.event(4) }, tally{Events: 1, Snapshots: 1, Unannounced: 1}},
		{"a snapshot in place", func(v *verifier) { v.snapshot(7); v.event(8) }, tally{Events: 1}},
		{"an old snapshot", func(v *verifier) { v.disconnect(); v.connect(false); v.snapshot(2) }, tally{Snapshots: 1, Reordered: 1}},
	} {
		t.Run(c.name, func(t *testing.T) {
			v := &verifier{}
			joined(v)
			v.take()
			c.log(v)
			got := v.take()
			got.LongestPause = 0
			if got != c.want {
				t.Errorf("got %+v, want %+v", got, c.want)
			}
		})
	}
}
