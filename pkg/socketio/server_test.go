package socketio

import (
	"context"
	"errors"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// echo acknowledges "echo" with its arguments and answers "auth" with the CONNECT payload.
func echo(s *Socket) {
	s.On("echo", func(e *Event) {
		var out []any
		for _, a := range e.Args {
			if b, ok := a.Bytes(); ok {
				out = append(out, b)
			} else {
				out = append(out, a.JSON())
			}
		}
		_ = e.Ack(out...)
		_ = e.Ack("a second answer is not sent")
	})
	s.On("auth", func(e *Event) { _ = e.Ack(s.Handshake().Auth, s.Handshake().Query()["q"]) })
}

func serveEcho(s *Server) {
	s.Of("/").OnConnection(echo)
	s.Of("custom").OnConnection(echo)
}

func TestConnectAndAcknowledge(t *testing.T) {
	_, address := listen(t, Options{}, serveEcho)
	c := dial(t, address)
	c.send(`0{"token":"t"}`)
	if text := c.receive(); !strings.HasPrefix(text, `0{"sid":"`) {
		t.Fatal(text)
	}
	c.connect("/custom,")
	c.send(`21["auth"]`)
	c.expect(`31[{"token":"t"},"1"]`)
	c.send(`2/custom,2["auth"]`)
	c.expect(`3/custom,2[{},"1"]`)
	c.send(`2["echo","nobody waits"]`)
	c.send(`23["echo",{"a":1},null]`)
	c.expect(`33[{"a":1},null]`)
	c.send(`24["echo"]`)
	c.expect(`34[]`)
}

func TestBinaryEcho(t *testing.T) {
	_, address := listen(t, Options{}, serveEcho)
	c := enter(t, address, "/custom,")
	c.send(`52-/custom,7["echo",{"_placeholder":true,"num":1},{"_placeholder":true,"num":0}]`)
	c.sendBinary(1, 2)
	c.sendBinary(3)
	c.expect(`62-/custom,7[{"_placeholder":true,"num":0},{"_placeholder":true,"num":1}]`, "\x03", "\x01\x02")
}

func TestRefusals(t *testing.T) {
	_, address := listen(t, Options{}, func(s *Server) {
		serveEcho(s)
		s.Of("/data").Use(func(*Socket) error { return &ConnectError{"no", map[string]int{"code": 7}} })
		s.Of("/plain").Use(func(*Socket) error { return errors.New("plain no") })
		s.Of("/panic").Use(func(*Socket) error { panic("middleware") })
	})
	c := dial(t, address)
	for name, want := range map[string]string{
		"/nope":  `{"message":"Invalid namespace"}`,
		"/data":  `{"message":"no","data":{"code":7}}`,
		"/plain": `{"message":"plain no"}`,
		"/panic": `{"message":"internal server error"}`,
	} {
		c.send("0" + name + ",")
		c.expect("4" + name + "," + want)
	}
	c.connect("") // a refusal ends nothing else
}

func TestMiddlewareLearnsThatItsClientIsGone(t *testing.T) {
	started, gone := make(chan struct{}), make(chan struct{})
	_, address := listen(t, Options{}, func(s *Server) {
		s.Of("/").Use(func(s *Socket) error {
			close(started)
			<-s.Context().Done()
			close(gone)
			return nil
		})
		s.Of("/").OnConnection(func(*Socket) { t.Error("the socket of a client that is gone joined") })
	})
	c := dial(t, address)
	c.send("0")
	await(t, started)
	_ = c.Close()
	await(t, gone)
}

func TestDynamicNamespaceIsMadeOnceAndCollected(t *testing.T) {
	const clients = 16
	var made atomic.Int32
	ended := make(chan string, clients)
	s, address := listen(t, Options{}, func(s *Server) {
		s.OnNewNamespace(func(*Namespace) { made.Add(1) })
		s.OfRegexp(regexp.MustCompile(`^/guild/\d+$`)).OnConnection(func(s *Socket) {
			s.OnDisconnect(func(reason string) { ended <- reason })
		})
	})
	for round := range int32(2) {
		all := make([]*client, clients)
		for i := range all {
			all[i] = dial(t, address)
		}
		var wg sync.WaitGroup
		for _, c := range all {
			wg.Go(func() { c.send("0/guild/1,") })
		}
		wg.Wait()
		for _, c := range all {
			if text := c.receive(); !strings.HasPrefix(text, `0/guild/1,{"sid"`) {
				t.Fatal(text)
			}
		}
		if n := made.Load(); n != round+1 {
			t.Fatalf("round %d: made %d times", round, n)
		}
		if n := len(s.Lookup("/guild/1").Sockets()); n != clients {
			t.Errorf("%d sockets, want %d", n, clients)
		}
		for _, c := range all {
			c.send("1/guild/1,")
		}
		for range all {
			if reason := await(t, ended); reason != "client namespace disconnect" {
				t.Error(reason)
			}
		}
		if s.Lookup("/guild/1") != nil {
			t.Fatal("the empty namespace was not collected")
		}
	}
}

func TestHandlerPanicEndsOnlyItsSocket(t *testing.T) {
	heard := make(chan error, 1)
	_, address := listen(t, Options{OnError: func(err error) { heard <- err }}, func(s *Server) {
		serveEcho(s)
		s.Of("/").OnConnection(func(s *Socket) { s.On("boom", func(*Event) { panic("bang") }) })
	})
	c, other := enter(t, address, ""), enter(t, address, "")
	c.connect("/custom,")
	c.send(`2["boom"]`)
	c.expect("1")
	if err := await(t, heard); !strings.Contains(err.Error(), "bang") {
		t.Error(err)
	}
	c.send(`2/custom,1["echo"]`)
	c.expect(`3/custom,1[]`)
	other.send(`21["echo"]`)
	other.expect(`31[]`)
}

// accepted hands out the sockets of "/" in the order in which they joined.
func accepted(t *testing.T) (s *Server, address string, sockets <-chan *Socket) {
	t.Helper()
	c := make(chan *Socket, 8)
	s, address = listen(t, Options{}, func(s *Server) {
		s.Of("/").OnConnection(func(s *Socket) { c <- s })
	})
	return s, address, c
}

func TestEmitWithAck(t *testing.T) {
	_, address, sockets := accepted(t)
	c := enter(t, address, "")
	s := await(t, sockets)
	type result struct {
		args Args
		err  error
	}
	ask := func(ctx context.Context) <-chan result {
		answer := make(chan result, 1)
		go func() {
			args, err := s.EmitWithAck(ctx, "q", 1)
			answer <- result{args, err}
		}()
		return answer
	}
	answer := ask(t.Context())
	c.expect(`20["q",1]`)
	c.send(`30["yes"]`)
	if r := await(t, answer); r.err != nil || len(r.args) != 1 || string(r.args[0].JSON()) != `"yes"` {
		t.Errorf("%v, %v", r.args, r.err)
	}

	ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
	defer cancel()
	if r := await(t, ask(ctx)); !errors.Is(r.err, context.DeadlineExceeded) {
		t.Errorf("timeout: %v", r.err)
	}
	c.expect(`21["q",1]`)
	c.send(`31["late"]`) // nobody waits any more

	answer = ask(t.Context())
	c.expect(`22["q",1]`)
	c.send("1")
	if r := await(t, answer); r.err == nil {
		t.Error("answered after the socket's end")
	}
}

func TestDisconnect(t *testing.T) {
	_, address, sockets := accepted(t)
	for closeTransport, check := range map[bool]func(*client){
		false: func(c *client) { c.expect("1"); c.connect("") },
		true:  func(c *client) { c.expect("1"); c.expectClosed() },
	} {
		c := enter(t, address, "")
		s := await(t, sockets)
		s.Join("r")
		var steps []string
		s.OnDisconnecting(func(reason string) {
			if len(s.Rooms()) != 2 {
				t.Errorf("disconnecting sees the rooms %q", s.Rooms())
			}
			steps = append(steps, "disconnecting "+reason)
		})
		s.OnDisconnect(func(reason string) {
			if len(s.Rooms()) != 0 {
				t.Errorf("disconnect sees the rooms %q", s.Rooms())
			}
			steps = append(steps, "disconnect "+reason)
		})
		s.Disconnect(closeTransport)
		s.Disconnect(closeTransport)
		if got := strings.Join(steps, ", "); got != "disconnecting server namespace disconnect, disconnect server namespace disconnect" {
			t.Error(got)
		}
		s.Join("late")
		if s.Connected() || len(s.Rooms()) != 0 || s.Namespace().Socket(s.ID()) != nil {
			t.Error("something is left of the socket")
		}
		check(c)
		if !closeTransport {
			await(t, sockets)
		}
	}
}
