package stream

import (
	"testing"
	"testing/synctest"
	"time"
)

// TestLagOfConsumersInTurn: what is known of one stays until something is known of the next.
func TestLagOfConsumersInTurn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var l lag
		want := func(what string, events uint64, since time.Duration) {
			t.Helper()
			if is := l.now(); is != (Lag{events, since}) {
				t.Errorf("%s: %+v, want %d events, %s", what, is, events, since)
			}
		}
		want("nobody follows", 0, 0)
		l.begin()
		time.Sleep(time.Second)
		want("nothing is known", 0, time.Second)
		l.told(5, time.Now())
		l.came(1, 4)
		want("none is handled", 5, time.Second)
		for n := range uint64(4) {
			l.did(n+1, time.Now().Add(-time.Hour)) // stored long ago
		}
		want("four are", 1, time.Second)
		l.did(5, time.Now().Add(-time.Hour))
		want("all are", 0, 0)
		time.Sleep(time.Minute)
		l.came(6, 2)
		want("three came", 3, time.Minute)
		l.did(6, time.Now().Add(-3*time.Second))
		want("all that was stored earlier is handled", 2, 3*time.Second)
		l.begin()
		want("another consumer", 2, 3*time.Second)
		l.did(1, time.Now().Add(-time.Hour))
		l.did(2, time.Now().Add(-time.Hour)) // as many as were missing, and perhaps others
		want("of which nothing is known", 0, 3*time.Second)
		l.told(7, time.Now())
		want("it has more", 5, 3*time.Second)
		l.told(2, time.Now()) // others are no longer kept
		want("it has none", 0, 0)
		l.did(3, time.Now().Add(time.Hour)) // by NATS' clock
		want("clocks that differ", 0, 0)
		time.Sleep(time.Minute)
		want("a minute later", 0, time.Minute)
		l.rest()
		time.Sleep(time.Hour)
		want("nobody follows any more", 0, 0)
		l.begin()
		want("others do", 0, 0)
	})
}
