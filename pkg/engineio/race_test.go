package engineio

import (
	"testing"
)

// TestCloseRacesWithAPoll: "a close that races with a poll still answers it once". The POST that closes has
// come first, though the poll had set out before it.
func TestCloseRacesWithAPoll(t *testing.T) {
	s := quietSite(t)
	query := s.open(t)
	session := <-s.opened
	posted := make(chan reply, 1)
	go func() {
		_, got := s.do(t, "POST", query, "1")
		posted <- got
	}()
	waitFor(t, func() bool { session.mu.Lock(); defer session.mu.Unlock(); return session.state == stateClosing })
	s.expect(t, "GET", query, "", reply{200, "6"})
	if got := <-posted; got != (reply{200, "ok"}) {
		t.Errorf("POST: %v", got)
	}
	s.expect(t, "GET", query, "", reply{400, unknownSession})
	s.expectReason(t, ReasonTransportClose)
}

// TestPollRacesWithAnUpgrade: a poll that still waits when the session moves is
// refused as if it had come later.
func TestPollRacesWithAnUpgrade(t *testing.T) {
	s := quietSite(t)
	query := s.open(t)
	session := <-s.opened
	conn := s.mustDial(t, upgradeQuery(query))
	write(t, conn, "2probe")
	next(t, conn)
	polled := make(chan reply, 1)
	go func() {
		_, got := s.do(t, "GET", query, "")
		polled <- got
	}()
	waitFor(t, func() bool { session.mu.Lock(); defer session.mu.Unlock(); return session.poll != nil })
	write(t, conn, "5")
	write(t, conn, "4moved")
	if got := next(t, conn); got != "4moved" {
		t.Errorf("got %q", got)
	}
	if got := <-polled; got != (reply{400, badRequest}) && got != (reply{200, "6"}) { // 6 where the probe's patience was over first
		t.Errorf("poll: %v", got)
	}
}
