package engineio

import (
	"context"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// clock is a server whose time is faked and whose clients only poll: requests go straight to
// ServeHTTP, in a synctest bubble.
type clock struct {
	engine *Server
	query  string // of its newest session
	ended  chan Reason
}

func newClock(t *testing.T, opts Options) *clock {
	c := &clock{ended: make(chan Reason, 16)}
	c.engine = NewServer(opts, func(s *Session) Receiver { return echo{s, c.ended} })
	t.Cleanup(func() { _ = c.engine.Close(context.Background()) })
	c.open(t)
	return c
}

func (c *clock) open(t *testing.T) {
	body := c.do(t, "GET", "EIO=4&transport=polling", "").body
	sid, _, _ := strings.Cut(strings.TrimPrefix(body, `0{"sid":"`), `"`)
	c.query = "EIO=4&transport=polling&sid=" + sid
}

func (c *clock) do(t *testing.T, method, query, body string) reply {
	w := httptest.NewRecorder()
	c.engine.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), method, "/engine.io/?"+query, strings.NewReader(body)))
	return reply{w.Code, w.Body.String()}
}

func (c *clock) get(t *testing.T) reply                { return c.do(t, "GET", c.query, "") }
func (c *clock) post(t *testing.T, packet string)      { c.do(t, "POST", c.query, packet) }
func (c *clock) expectEnd(t *testing.T, want Reason)   { t.Helper(); expectReason(t, c.ended, want) }
func (c *clock) expectOpen(t *testing.T, after string) { t.Helper(); expectReason(t, c.ended, "") }

func expectReason(t *testing.T, ended <-chan Reason, want Reason) {
	t.Helper()
	synctest.Wait()
	var got Reason
	select {
	case got = <-ended:
	default:
	}
	if got != want {
		t.Errorf("ended with %q, want %q", got, want)
	}
}

// A tick of the wheel is 500 ms with the default times: what is due comes at most one later.
const tick = 500 * time.Millisecond

// TestPingAfterAnInterval: 25 s after the handshake, and 25 s after each pong.
func TestPingAfterAnInterval(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newClock(t, Options{})
		for range 3 {
			start := time.Now()
			if got := c.get(t); got != (reply{200, "2"}) {
				t.Fatalf("poll: %v", got)
			}
			if waited := time.Since(start); waited < 25*time.Second || waited > 25*time.Second+tick {
				t.Errorf("pinged after %v", waited)
			}
			c.post(t, "3")
		}
	})
}

// TestPongTimeout: "no pong within pingTimeout ends the session also when no poll is outstanding".
func TestPongTimeout(t *testing.T) {
	for name, polls := range map[string]bool{"while a poll waits": true, "while none does": false} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := newClock(t, Options{})
				start := time.Now()
				if polls {
					c.get(t) // the ping
					if got := c.get(t); got != (reply{200, "1"}) {
						t.Errorf("poll: %v", got)
					}
				} else {
					<-time.After(45*time.Second - 1)
					c.expectOpen(t, "44.9 s")
					<-time.After(2 * tick)
				}
				c.expectEnd(t, ReasonPingTimeout)
				if after := time.Since(start); after < 45*time.Second || after > 45*time.Second+2*tick {
					t.Errorf("after %v", after)
				}
				if got := c.get(t); got != (reply{400, unknownSession}) {
					t.Errorf("poll afterwards: %v", got)
				}
			})
		})
	}
}

// TestDeadlineIsProlongedOncePerPing: "while waiting for the pong any other packet extends the deadline
// once per ping".
func TestDeadlineIsProlongedOncePerPing(t *testing.T) {
	for _, packet := range []string{"4a", "bAQI=", "6", "0"} {
		t.Run(packet, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := newClock(t, Options{})
				for range 2 { // each ping anew
					c.get(t)                       // the ping
					<-time.After(15 * time.Second) // of 20
					c.post(t, packet)              // now 35
					<-time.After(19 * time.Second) // 34
					c.expectOpen(t, "a packet")    //
					c.post(t, "3")                 // in time, thanks to the packet
					if packet[0] == '4' || packet[0] == 'b' {
						c.get(t) // the echo
					}
				}
				c.get(t)
				<-time.After(15 * time.Second)
				c.post(t, packet)
				<-time.After(15 * time.Second) // 30 of 35
				c.post(t, packet)              // does not count
				<-time.After(4 * time.Second)  // 34
				c.expectOpen(t, "the first packet")
				<-time.After(time.Second + 2*tick)
				c.expectEnd(t, ReasonPingTimeout)
			})
		})
	}
}

// TestPacketsDoNotReplaceThePong: however many come.
func TestPacketsDoNotReplaceThePong(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newClock(t, Options{})
		for range 70 { // 70 s; due at 25 + 20 + at most 20
			<-time.After(time.Second)
			c.post(t, "6")
		}
		c.expectEnd(t, ReasonPingTimeout)
	})
}

// stuckWriter is the answer to a client that does not read.
type stuckWriter struct {
	*httptest.ResponseRecorder
	until <-chan struct{}
}

func (w stuckWriter) Write(p []byte) (int, error) {
	<-w.until
	return w.ResponseRecorder.Write(p)
}

// TestHandshakeThatIsNeverRead: the clock runs before the handshake leaves.
func TestHandshakeThatIsNeverRead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ended, until := make(chan Reason, 1), make(chan struct{})
		engine := NewServer(Options{}, func(s *Session) Receiver { return echo{s, ended} })
		go engine.ServeHTTP(stuckWriter{httptest.NewRecorder(), until}, httptest.NewRequestWithContext(t.Context(), "GET", "/engine.io/?EIO=4&transport=polling", nil))
		<-time.After(45*time.Second - 1)
		expectReason(t, ended, "")
		<-time.After(2 * tick)
		expectReason(t, ended, ReasonPingTimeout)
		close(until)
		if err := engine.Close(t.Context()); err != nil || engine.Len() != 0 {
			t.Errorf("%v, %d sessions are left", err, engine.Len())
		}
	})
}

// TestOverdueRequest comes after the deadline and before the wheel: it must not find the session.
func TestOverdueRequest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newClock(t, Options{})
		c.get(t)
		session := c.engine.lookup(strings.TrimPrefix(c.query, "EIO=4&transport=polling&sid="))
		session.mu.Lock()
		session.beat.due -= 21 * time.Second // as if the wheel stood still
		session.mu.Unlock()
		if got := c.do(t, "POST", c.query, "4late"); got != (reply{400, unknownSession}) {
			t.Errorf("POST: %v", got)
		}
		c.expectEnd(t, ReasonPingTimeout)
	})
}

// TestPollWhenTheTimeIsOver: who takes neither ping nor anything else for interval and timeout is gone to the millisecond,
// wherever the wheel stands.
func TestPollWhenTheTimeIsOver(t *testing.T) {
	for _, between := range []time.Duration{0, time.Millisecond, tick / 2, tick - time.Millisecond} { // two turns of the wheel
		synctest.Test(t, func(t *testing.T) {
			c := newClock(t, Options{})
			<-time.After(between)
			c.open(t)
			<-time.After(45 * time.Second)
			if got := c.get(t); got != (reply{400, unknownSession}) {
				t.Errorf("%v after a turn: %v", between, got)
			}
		})
	}
}

// TestClosedSessionWaitsForAPoll: "Close with no poll pending: the close packet goes with the next poll,
// at most 30 s later".
func TestClosedSessionWaitsForAPoll(t *testing.T) {
	tests := []struct {
		name string
		wait time.Duration
		want reply
	}{
		{"in time", 29 * time.Second, reply{200, "4last words"}},
		{"too late", 31 * time.Second, reply{400, unknownSession}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := newClock(t, Options{})
				session := c.engine.lookup(strings.TrimPrefix(c.query, "EIO=4&transport=polling&sid="))
				session.Send(NewFrame(Message{Data: []byte("last words")}))
				session.Close()
				c.expectEnd(t, ReasonForcedClose)
				<-time.After(tt.wait)
				if got := c.get(t); got != tt.want {
					t.Errorf("poll: %v, want %v", got, tt.want)
				} else if got.status == 200 {
					if got := c.get(t); got != (reply{200, "1"}) {
						t.Errorf("poll after the last words: %v", got)
					}
				}
				if n := c.engine.Len(); n != 0 {
					t.Errorf("%d sessions are left", n)
				}
			})
		})
	}
}

// TestHeartbeatsOfMany keeps the wheel's slots full and shuffled.
func TestHeartbeatsOfMany(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newClock(t, Options{})
		for range 500 {
			<-time.After(130 * time.Millisecond)
			c.do(t, "GET", "EIO=4&transport=polling", "")
		}
		if n := c.engine.Len(); n >= 400 || n < 300 { // 65 s, of which each lives 45
			t.Errorf("%d sessions live", n)
		}
		<-time.After(46 * time.Second)
		if n := c.engine.Len(); n != 0 {
			t.Errorf("%d sessions are left", n)
		}
	})
}
