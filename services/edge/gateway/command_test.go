package gateway

import (
	"context"
	"errors"
	"testing"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

func TestCommandsTakeTheirPlaces(t *testing.T) {
	var c commands
	begin := func() (before <-chan struct{}, pass func()) {
		t.Helper()
		before, pass, ok := c.begin(2)
		if !ok {
			t.Fatal("no place")
		}
		return before, pass
	}
	first, passFirst := begin()
	if first != nil {
		t.Error("the first one waits")
	}
	second, passSecond := begin()
	if _, _, ok := c.begin(2); ok {
		t.Error("a third place of two")
	}
	select {
	case <-second:
		t.Error("the second one does not wait for the first")
	default:
	}
	passFirst()
	<-second
	passFirst() // the answer comes after the head start
	c.end()
	third, passThird := begin()
	passSecond()
	<-third
	passThird()
	c.end()
	c.end()
	if again, _ := begin(); again != nil {
		t.Error("waits for one that has long been answered")
	}
}

func TestReasonsTellNoCause(t *testing.T) {
	g := New(nil, Options{})
	defer g.Close()
	for _, err := range []error{
		status.Error(codes.Unavailable, "dial tcp 10.0.0.7:7070: refused"), status.Error(codes.Internal, "nats: 10.0.0.8"),
		status.Error(codes.Unknown, "nats: 10.0.0.8"), errors.New("10.0.0.9"), context.Canceled,
	} {
		for _, c := range g.reason(&listener{}, err) {
			if c >= '0' && c <= '9' {
				t.Errorf("%v is told as %q", err, g.reason(&listener{}, err))
				break
			}
		}
	}
}
