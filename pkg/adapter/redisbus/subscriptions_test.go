package redisbus

import "testing"

// TestWantedWhileItEnds wants a channel again that Redis has been told to end: it is waited for until it is subscribed to anew, or a
// request would be answered by who is no longer heard of.
func TestWantedWhileItEnds(t *testing.T) {
	b := &Bus{}
	s := newSubscriptions(b)
	on, l := &conn{}, &line{bus: b}
	s.want(l, "c")
	s.channels["c"].conn = on
	s.confirm(on, "c")
	s.forget(l, "c")
	if _, unwanted, err := s.take(); len(unwanted[on]) != 1 || err != nil {
		t.Fatal(unwanted, err)
	}
	s.want(l, "c")
	if ready, _, err := s.awaited("c"); ready == nil || err != nil {
		t.Errorf("is not waited for: %v", err)
	}
	s.remove(on, "c")
	if names, _, err := s.take(); len(names) != 1 || err != nil {
		t.Errorf("subscribes to %q, %v", names, err)
	}
}
