package owner

import (
	"testing"
	"time"

	edgev1 "github.com/pona-realtime/pona/proto/pona/edge/v1"
)

func TestAges(t *testing.T) {
	began := time.Unix(1_000_000, 0)
	var a ages
	if got := a.storedBefore(began); got != 0 {
		t.Errorf("of nothing: %d", got)
	}
	note := func(sequence uint64, at time.Duration) {
		a.note(&edgev1.Delivery{Sequence: sequence, StoredAtNs: began.Add(at).UnixNano()})
	}
	for second := range 2 * int(agesKept/time.Second) {
		note(uint64(1+10*second), time.Duration(second)*time.Second)
		note(uint64(2+10*second), time.Duration(second)*time.Second+time.Millisecond) // the same second
	}
	note(5, 5*time.Second) // of a partition that lags behind
	now := began.Add(2 * agesKept)
	if got, want := a.storedBefore(now.Add(-time.Minute)), uint64(1+10*(1200-61)); got != want {
		t.Errorf("a minute ago: %d, want %d", got, want)
	}
	if got := a.storedBefore(now.Add(-agesKept - time.Minute)); got != 0 || len(a.marks) > 601 {
		t.Errorf("of what was forgotten: %d; %d marks", got, len(a.marks))
	}
}
