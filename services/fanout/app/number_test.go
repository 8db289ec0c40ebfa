package app_test

import (
	"strconv"
	"testing"

	"google.golang.org/protobuf/proto"

	edgev1 "github.com/pona-realtime/pona/proto/pona/edge/v1"
	playerv1 "github.com/pona-realtime/pona/proto/pona/player/v1"
)

// volumeOf is the number that fanouttest.Volume gave to a delivered event.
func volumeOf(t testing.TB, d *edgev1.Delivery) int {
	t.Helper()
	var ev playerv1.Event
	if err := proto.Unmarshal(d.GetEvent(), &ev); err != nil {
		t.Fatal(err)
	}
	return number(t, ev.GetVolumeUpdated().GetVolume())
}

// number reads a volume; none is 0.
func number(t testing.TB, text string) int {
	t.Helper()
	if text == "" {
		return 0
	}
	n, err := strconv.Atoi(text)
	if err != nil {
		t.Fatal(err)
	}
	return n
}
