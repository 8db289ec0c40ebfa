package engineio

import (
	"fmt"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gorilla/websocket"
	"golang.org/x/time/rate"
)

func TestTurns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		of := make(turns, 1)
		var first, second turn
		first.of, second.of = of, of
		var took chan struct{}
		takeSecond := func() {
			took = make(chan struct{})
			go func() {
				second.take()
				close(took)
			}()
			synctest.Wait()
		}
		has := func() bool {
			select {
			case <-took:
				return true
			default:
				return false
			}
		}
		first.limit() // without one to limit
		first.take()
		first.take()
		if takeSecond(); has() {
			t.Error("two have the one turn")
		}
		first.giveBack()
		first.giveBack()
		if synctest.Wait(); !has() {
			t.Error("a turn that was given back is not taken")
		}
		second.giveBack()

		for range 2 {
			first.take()
			first.limit()
			limited := time.Now()
			takeSecond()
			if <-took; time.Since(limited) != longestTurn {
				t.Errorf("a limited turn has ended after %v", time.Since(limited))
			}
			first.giveBack() // of what it has no more
			if len(of) != 1 {
				t.Errorf("%d turns are held", len(of))
			}
			second.giveBack()
		}
	})
	if n := cap(newTurns()); n < 1 {
		t.Errorf("%d turns", n)
	}
}

func TestPace(t *testing.T) {
	var p pace
	for _, at := range []time.Duration{time.Second, 2 * time.Second} {
		for i := range 2 * lightMessages {
			if busy := p.busy(at + time.Duration(i)*lightTime/100); busy != (i >= lightMessages) {
				t.Errorf("message %d: busy %v", i, busy)
			}
		}
	}
}

// TestFramesWithoutEndTakeTurns: somebody who has got a turn and then sends what makes no message does not keep it.
func TestFramesWithoutEndTakeTurns(t *testing.T) {
	const message = "\x81\x82\x00\x00\x00\x004m"
	for name, frame := range map[string]string{
		"pings":         "\x89\x80\x00\x00\x00\x00",
		"pongs":         "\x8a\x80\x00\x00\x00\x00",
		"continuations": "\x00\x80\x00\x00\x00\x00",
	} {
		t.Run(name, func(t *testing.T) {
			s := quietSite(t)
			s.engine.heavy = make(turns, 1) // before any session
			s.engine.heavy <- struct{}{}    // and we have it
			early := s.connect(t)
			if _, err := early.NetConn().Write([]byte("\x01\x80\x00\x00\x00\x00" + strings.Repeat(frame, lightMessage))); err != nil {
				t.Fatal(err)
			}
			waitFor(t, func() bool { return serving("(*turn).take") })
			_ = early.Close()
			<-s.engine.heavy

			endless, busy := s.connect(t), s.connect(t)
			first := strings.Repeat(message, 2*lightMessages)
			if name == "continuations" {
				first += "\x01\x80\x00\x00\x00\x00" // the beginning of a text
			}
			if _, err := endless.NetConn().Write([]byte(first + strings.Repeat(frame, 1<<16))); err != nil {
				t.Fatal(err)
			}
			var over atomic.Bool
			var sending sync.WaitGroup
			sending.Go(func() {
				for frames := []byte(strings.Repeat(frame, 1<<12)); !over.Load(); {
					if _, err := endless.NetConn().Write(frames); err != nil {
						t.Error(err)
						return
					}
				}
			})
			defer sending.Wait()
			defer over.Store(true)
			for i := range 4 * lightMessages {
				write(t, busy, fmt.Sprint("4", i))
			}
			for i := range 4 * lightMessages {
				if got := next(t, busy); got != fmt.Sprint("4", i) {
					t.Fatalf("answer %d: %s", i, got)
				}
			}
		})
	}
}

// TestWhoSendsManyWaitsForATurn: and whoever sends few does not, on either transport.
func TestWhoSendsManyWaitsForATurn(t *testing.T) {
	const many = 2000 // without turns, over in a moment; two each 10 ms would take 10 s
	s := quietSite(t)
	s.engine.heavy = make(turns, 1) // before any session
	s.engine.heavy <- struct{}{}    // and we have it
	busy, light := s.connect(t), s.connect(t)
	for i := range many {
		if err := busy.WriteMessage(websocket.TextMessage, fmt.Appendf(nil, "4%d", i)); err != nil {
			t.Fatal(err)
		}
	}
	posted := make(chan reply, 1)
	query := s.open(t)
	go func() {
		_, got := s.do(t, "POST", query, strings.TrimSuffix(strings.Repeat("4\x1e", many), "\x1e"))
		posted <- got
	}()
	for range lightMessages {
		if err := light.WriteMessage(websocket.TextMessage, []byte("4light")); err != nil {
			t.Fatal(err)
		}
		if _, got, err := light.ReadMessage(); err != nil || string(got) != "4light" {
			t.Fatalf("%s, %v", got, err)
		}
	}
	if received := s.engine.Stats().MessagesReceived; received > many {
		t.Errorf("%d messages were handled without a turn", received)
	}
	<-s.engine.heavy
	for i := range many {
		if _, got, err := busy.ReadMessage(); err != nil || string(got) != fmt.Sprint("4", i) {
			t.Fatalf("answer %d: %s, %v", i, got, err)
		}
	}
	if got := <-posted; got != (reply{200, "ok"}) {
		t.Errorf("the POST was answered %v", got)
	}
	_ = busy.Close()
	_ = light.Close()
	waitFor(t, func() bool { return len(s.engine.heavy) == 0 })
}

// TestRequestsTakeTurns: none is held by a poll that waits, nor while the application is asked, nor for long
// by anything else that the application may do.
func TestRequestsTakeTurns(t *testing.T) {
	asked, answer := make(chan struct{}), make(chan struct{})
	s := serve(t, Options{AllowRequest: func(r *http.Request) error {
		if r.URL.Query().Has("slow") {
			asked <- struct{}{}
			<-answer
		}
		return nil
	}})
	s.engine.requests = make(turns, 1)
	slow := make(chan reply, 1)
	go func() {
		_, got := s.do(t, "GET", "EIO=4&transport=polling&slow", "")
		slow <- got
	}()
	<-asked
	waiting := s.open(t)
	polled := make(chan reply, 1)
	go func() {
		_, got := s.do(t, "GET", waiting, "")
		polled <- got
	}()
	<-s.waiting
	s.expect(t, "POST", waiting, "4now", reply{200, "ok"})
	if got := <-polled; got != (reply{200, "4now"}) {
		t.Errorf("the poll was answered %v", got)
	}
	close(answer)
	if got := <-slow; got.status != 200 {
		t.Errorf("the handshake was answered %v", got)
	}
	waitFor(t, func() bool { return len(s.engine.requests) == 0 })
}

// TestGuessersAreSlowedDown: refusals beyond so many a second come late, but all the same.
func TestGuessersAreSlowedDown(t *testing.T) {
	s := quietSite(t)
	s.engine.refusals = rate.NewLimiter(0, 1)
	s.expect(t, "GET", "EIO=4&transport=polling&sid=guess", "", reply{400, unknownSession})
	began := time.Now()
	s.expect(t, "GET", "EIO=4&transport=polling&sid=guess", "", reply{400, unknownSession})
	if took := time.Since(began); took < refusalWait {
		t.Errorf("the second guess was answered after %v", took)
	}
}
