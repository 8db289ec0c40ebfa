package socketio

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"
)

// askedOf runs EmitWithAck in a goroutine of its own.
func askedOf(t *testing.T, ask func() (Args, error)) <-chan error {
	t.Helper()
	done := make(chan error, 1)
	go func() {
		args, err := ask()
		if err == nil && len(args) == 1 {
			err = fmt.Errorf("answer %s", args[0].JSON())
		}
		done <- err
	}()
	return done
}

func TestAckIdsBeginWithZeroInEachNamespace(t *testing.T) {
	sockets := make(chan *Socket, 2)
	_, address := listen(t, Options{}, func(s *Server) {
		s.Of("/").OnConnection(func(s *Socket) { sockets <- s })
		s.Of("/b").OnConnection(func(s *Socket) { sockets <- s })
	})
	over(t, func(t *testing.T, dial func(*testing.T, string) *client) {
		c := dial(t, address)
		for _, prefix := range []string{"", "/b,"} {
			c.connect(prefix)
			s := await(t, sockets)
			for i := range 2 {
				done := askedOf(t, func() (Args, error) { return s.EmitWithAck(t.Context(), "q") })
				c.expect(fmt.Sprintf(`2%s%d["q"]`, prefix, i))
				c.send(fmt.Sprintf(`3%s%d["yes"]`, prefix, i))
				if err := await(t, done); err == nil || err.Error() != `answer "yes"` {
					t.Error(err)
				}
			}
		}
	})
}

func TestAcksCountOnce(t *testing.T) {
	_, address, sockets := accepted(t)
	c := enter(t, address, "")
	s := await(t, sockets)
	s.On("twice", func(e *Event) {
		_ = e.Ack("first")
		_ = e.Ack("second")
	})
	s.On("silent", func(e *Event) {
		if e.WantsAck() || e.Ack("nobody waits") != nil {
			t.Error("an event without id wants an acknowledgement")
		}
	})
	c.send(`2["silent"]`)
	c.asked(`20["twice"]`, `30["first"]`)
	done := askedOf(t, func() (Args, error) { return s.EmitWithAck(t.Context(), "q") })
	c.expect(`20["q"]`)
	c.send(`30["one"]`)
	c.send(`30["two"]`) // ignored, as is an id that nobody gave
	c.send(`399["three"]`)
	c.send(`3["without id"]`)
	if err := await(t, done); err == nil || err.Error() != `answer "one"` {
		t.Error(err)
	}
	c.asked(`21["twice"]`, `31["first"]`)
}

func TestBinaryAcksBothWays(t *testing.T) {
	_, address, sockets := accepted(t)
	c := enter(t, address, "")
	s := await(t, sockets)
	s.On("bytes", func(e *Event) {
		b, _ := e.Args[0].Bytes()
		_ = e.Ack(map[string]any{"in": b})
	})
	c.send(`51-3["bytes",{"_placeholder":true,"num":0}]`)
	c.sendBinary(1, 2)
	c.expect(`61-3[{"in":{"_placeholder":true,"num":0}}]`, "\x01\x02")

	got := make(chan []byte, 1)
	go func() {
		args, err := s.EmitWithAck(t.Context(), "q", []byte{9})
		if err != nil || len(args) != 2 {
			t.Errorf("%d arguments, %v", len(args), err)
			close(got)
			return
		}
		b, _ := args[1].Bytes()
		got <- b
	}()
	c.expect(`51-0["q",{"_placeholder":true,"num":0}]`, "\x09")
	c.send(`61-0["x",{"_placeholder":true,"num":0}]`)
	c.sendBinary(7)
	if b := await(t, got); string(b) != "\x07" {
		t.Errorf("%q", b)
	}
}

func TestAcksThatNeverCome(t *testing.T) {
	srv, address, sockets := accepted(t)
	c := enter(t, address, "")
	s := await(t, sockets)
	ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
	defer cancel()
	_, err := s.EmitWithAck(ctx, "q")
	if !errors.Is(err, context.DeadlineExceeded) || !strings.HasPrefix(err.Error(), "operation has timed out") {
		t.Error(err)
	}
	c.expect(`20["q"]`)
	c.send(`30["late"]`)
	answers, err := srv.Of("/").EmitWithAck(ctx, "all")
	if !errors.Is(err, context.DeadlineExceeded) || len(answers) != 0 {
		t.Errorf("%v, %v", answers, err)
	}
	c.expect(`21["all"]`)

	waiting, stop := context.WithCancel(t.Context())
	defer stop()
	var done []<-chan error
	for range maxPendingAcks {
		done = append(done, askedOf(t, func() (Args, error) { return s.EmitWithAck(waiting, "q") }))
		c.receive()
	}
	if _, err := s.EmitWithAck(waiting, "one too many"); err == nil || !strings.Contains(err.Error(), "1024 acknowledgements are pending") {
		t.Errorf("at the bound: %v", err)
	}
	c.Close() // purges them
	for _, d := range done {
		if err := await(t, d); err == nil {
			t.Error("answered by a client that has gone")
		}
	}
	s.mu.Lock()
	left := len(s.acks)
	s.mu.Unlock()
	if left != 0 {
		t.Errorf("%d are left", left)
	}
}
