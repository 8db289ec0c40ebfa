package main

import (
	"reflect"
	"testing"
)

func TestVerifier(t *testing.T) {
	joined := func(v *verifier) {
		v.connect(false, "")
		v.snapshot(3)
	}
	for _, c := range []struct {
		name string
		log  func(v *verifier)
		want Tally
	}{
		{"in order", func(v *verifier) { v.event(4); v.event(5) }, Tally{Events: 2}},
		{"one left out", func(v *verifier) { v.event(5) }, Tally{Events: 1, Lost: 1, Unannounced: 1}},
		{"one twice", func(v *verifier) { v.event(4); v.event(4) }, Tally{Events: 2, Duplicated: 1}},
		{"two exchanged", func(v *verifier) { v.event(5); v.event(4) }, Tally{Events: 2, Lost: 1, Unannounced: 1, Reordered: 1}},
		{"recovered", func(v *verifier) { v.event(4); v.disconnect(); v.connect(true, ""); v.event(5) }, Tally{Events: 2, Recovered: 1}},
		{"recovered with a gap", func(v *verifier) { v.disconnect(); v.connect(true, ""); v.event(5) }, Tally{Events: 1, Recovered: 1, Lost: 1, Unannounced: 1}},
		{"a gap announced", func(v *verifier) { v.disconnect(); v.connect(false, ""); v.snapshot(9); v.event(10) }, Tally{Events: 1, Snapshots: 1}},
		{"an event before its snapshot", func(v *verifier) { v.disconnect(); v.connect(false, ""); v.event(4) }, Tally{Events: 1, Snapshots: 1, Unannounced: 1}},
		{"a snapshot in place", func(v *verifier) { v.snapshot(7); v.event(8) }, Tally{Events: 1}},
		{"an old snapshot", func(v *verifier) { v.disconnect(); v.connect(false, ""); v.snapshot(2) }, Tally{Snapshots: 1, Reordered: 1}},
	} {
		t.Run(c.name, func(t *testing.T) {
			v := &verifier{}
			joined(v)
			v.take()
			c.log(v)
			got := v.take()
			if (len(got.Evidence) > 0) != got.broken() {
				t.Errorf("evidence: %q", got.Evidence)
			}
			got.LongestPause, got.Evidence = 0, nil
			if !reflect.DeepEqual(got, c.want) {
				t.Errorf("got %+v, want %+v", got, c.want)
			}
		})
	}
}

func TestPausesOfThoseWhoStayedAtAnEdge(t *testing.T) {
	v := &verifier{}
	v.connect(false, "a")
	v.snapshot(1)
	v.event(2)
	v.disconnect()
	v.connect(true, "b")
	v.event(3)
	got := v.take()
	if _, moved := got.Pauses["b"]; moved || len(got.Pauses) != 1 || got.elsewhere("a") != 0 || got.elsewhere("b") != got.Pauses["a"] {
		t.Errorf("pauses by edge: %v, want one at a, and none of the move", got.Pauses)
	}
}
