package socketio

import (
	"encoding/json"
	"errors"
	"regexp"
	"slices"
	"strings"
	"testing"
)

func TestNamesOfNamespaces(t *testing.T) {
	s, address := listen(t, Options{}, func(s *Server) { s.Of("abc") })
	if s.Of("") != s.Of("/") || s.Of("abc") != s.Of("/abc") || s.Of("abc").Name() != "/abc" {
		t.Error("a name without slash is another namespace")
	}
	over(t, func(t *testing.T, dial func(*testing.T, string) *client) {
		c := dial(t, address)
		if id := c.connect(""); len(id) != 20 {
			t.Errorf("id %q is not of 20 characters", id)
		}
		c.connect("/abc,")
		c.send("0/nope,")
		c.expect(`4/nope,{"message":"Invalid namespace"}`)
		c.send("0/nope?token=x,")
		c.expect(`4/nope,{"message":"Invalid namespace"}`)
	})
}

func TestParentsAreTriedInOrder(t *testing.T) {
	joined := make(chan string, 1)
	listener := func(who string) func(*Socket) { return func(*Socket) { joined <- who } }
	_, address := listen(t, Options{}, func(s *Server) {
		s.Of("/static").OnConnection(listener("static"))
		s.OfFunc(func(name string, auth json.RawMessage) bool {
			return strings.Contains(string(auth), "vip") && name != "/nobody"
		}).OnConnection(listener("function"))
		s.OfRegexp(regexp.MustCompile(`^/\w+-\d+$`)).OnConnection(listener("regexp"))
		s.OfRegexp(regexp.MustCompile(`^/`)).OnConnection(listener("last"))
	})
	c := dial(t, address)
	for packet, want := range map[string]string{
		"0/static,": "static", `0/dynamic-1,{"as":"vip"}`: "function", "0/dynamic-2,": "regexp", "0/else,": "last", `0/nobody,{"as":"vip"}`: "last",
	} {
		c.send(packet)
		c.receive()
		if got := await(t, joined); got != want {
			t.Errorf("%s joined by the %s, want %s", packet, got, want)
		}
	}
}

func TestChildrenHaveTheirParentsMiddlewareAndListeners(t *testing.T) {
	var order notes
	_, address := listen(t, Options{}, func(s *Server) {
		parent := s.OfRegexp(regexp.MustCompile(`^/child`))
		parent.Use(func(*Socket) error { order.add("parent's middleware"); return nil })
		parent.OnConnection(func(*Socket) { order.add("parent's listener") })
		s.OnNewNamespace(func(n *Namespace) {
			order.add("new namespace " + n.Name())
			n.Use(func(*Socket) error { order.add("child's middleware"); return nil })
			n.OnConnection(func(s *Socket) { order.add("child's listener"); echo(s) })
		})
		s.Of("/").Use(func(*Socket) error { t.Error("middleware of / runs for others"); return nil })
	})
	c := dial(t, address)
	c.connect("/child,")
	c.asked(`2/child,1["echo"]`, `3/child,1[]`)
	want := []string{"new namespace /child", "parent's middleware", "child's middleware", "parent's listener", "child's listener"}
	if got := order.take(); !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

// TestNamesThatTheApplicationSaysFirst: the parent's middleware is not to be escaped by that.
func TestNamesThatTheApplicationSaysFirst(t *testing.T) {
	made := make(chan string, 1)
	var parent *ParentNamespace
	s, address := listen(t, Options{}, func(s *Server) {
		s.OnNewNamespace(func(n *Namespace) { made <- n.Name() })
		s.OfFunc(func(string, json.RawMessage) bool { t.Error("asked without a client"); return true })
		s.Of("/before-1").OnConnection(echo)
		parent = s.OfRegexp(regexp.MustCompile(`^/\w+-\d+$`))
		parent.Use(func(s *Socket) error {
			if !strings.Contains(string(s.Handshake().Auth), "me") {
				return errors.New("who are you?")
			}
			return nil
		})
		s.Of("/child-1").OnConnection(echo)
	})
	if got := await(t, made); got != "/child-1" || len(parent.Children()) != 1 {
		t.Errorf("the hook heard of %q, the parent has %d children", got, len(parent.Children()))
	}
	c := dial(t, address)
	c.connect("/before-1,") // was there first
	c.send("0/child-1,")
	c.expect(`4/child-1,{"message":"who are you?"}`)
	c.send(`0/child-1,{"as":"me"}`)
	c.receive()
	_ = parent.Emit("hello")
	c.expect(`2/child-1,["hello"]`)
	c.send("1/child-1,")
	c.asked(`2/before-1,1["echo"]`, `3/before-1,1[]`) // the child has been left
	if s.Lookup("/child-1") == nil {
		t.Error("what the application has asked for is gone")
	}
}

func TestCollectionOfNamespaces(t *testing.T) {
	entered, release := make(chan struct{}, 4), make(chan error, 4)
	s, address := listen(t, Options{}, func(s *Server) {
		s.Of("/static").Use(func(*Socket) error { return errors.New("no") })
		s.OfRegexp(regexp.MustCompile(`^/dynamic`)).Use(func(*Socket) error {
			entered <- struct{}{}
			return <-release
		})
	})
	c, other := dial(t, address), dial(t, address)
	c.send("0/static,")
	c.expect(`4/static,{"message":"no"}`)
	if s.Lookup("/static") == nil {
		t.Error("a static namespace was collected")
	}

	c.send("0/dynamic,")
	await(t, entered)
	joining := s.Lookup("/dynamic")
	if joining == nil {
		t.Fatal("no namespace during the join")
	}
	other.send("0/dynamic,")
	await(t, entered)
	release <- errors.New("no") // to whichever
	done := make(chan string, 2)
	for _, c := range []*client{c, other} {
		go func() { done <- c.receive() }()
	}
	if got := await(t, done); got != `4/dynamic,{"message":"no"}` {
		t.Error(got)
	}
	if s.Lookup("/dynamic") != joining {
		t.Error("collected while a join is under way")
	}
	release <- errors.New("no again")
	if got := await(t, done); got != `4/dynamic,{"message":"no again"}` {
		t.Error(got)
	}
	for s.Lookup("/dynamic") != nil { // the answer leaves before the collection
		c.send("0/static,")
		c.expect(`4/static,{"message":"no"}`)
	}
}

func TestMiddlewareStopsAtTheFirstError(t *testing.T) {
	var order notes
	srv, address := listen(t, Options{}, func(s *Server) {
		s.Of("/").Use(func(s *Socket) error { order.add("first"); s.Join("r"); return nil })
		s.Of("/").Use(func(s *Socket) error {
			order.add("second")
			if strings.Contains(string(s.Handshake().Auth), "no") {
				_ = s.Namespace().To("r").Emit("secret") // it is in the room, but not in the namespace
				return &ConnectError{Message: "no", Data: []int{1}}
			}
			return nil
		})
		s.Of("/").Use(func(*Socket) error { order.add("third"); return nil })
		s.Of("/").OnConnection(func(s *Socket) { order.add("connection"); echo(s) })
	})
	over(t, func(t *testing.T, dial func(*testing.T, string) *client) {
		c := dial(t, address)
		c.send(`0{"say":"no"}`)
		c.expect(`4{"message":"no","data":[1]}`)
		if got := order.take(); !slices.Equal(got, []string{"first", "second"}) {
			t.Errorf("ran %q", got)
		}
		c.connect("")
		c.asked(`21["echo"]`, `31[]`)
		if got := order.take(); !slices.Equal(got, []string{"first", "second", "third", "connection"}) {
			t.Errorf("ran %q", got)
		}
		_ = srv.Of("/").To("r").Emit("hello")
		c.expect(`2["hello"]`)
	})
}

func TestRoomsJoinedBeforeARefusalAreLeft(t *testing.T) {
	refused := make(chan *Socket, 1)
	srv, address := listen(t, Options{}, func(s *Server) {
		s.Of("/").Use(func(s *Socket) error { s.Join("r"); refused <- s; return errors.New("no") })
	})
	c := dial(t, address)
	c.send("0")
	c.expect(`4{"message":"no"}`)
	s := await(t, refused)
	s.supersede(t.Context()) // waits for its end
	s.Join("late")
	if rooms := s.Rooms(); len(rooms) != 0 || s.Connected() || srv.Of("/").Socket(s.ID()) != nil {
		t.Errorf("still in %q", rooms)
	}
}
