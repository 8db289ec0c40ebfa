package socketio

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
)

// asked sends an event with an id and waits for the listener that acknowledges it, so that all
// events before have been handled.
func (c *client) asked(packet, answer string) {
	c.t.Helper()
	c.send(packet)
	c.expect(answer)
}

// notes are lines that several goroutines write.
type notes struct {
	mu    sync.Mutex
	lines []string
}

func (n *notes) add(line string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.lines = append(n.lines, line)
}

func (n *notes) take() []string {
	n.mu.Lock()
	defer n.mu.Unlock()
	lines := n.lines
	n.lines = nil
	return lines
}

func TestListeners(t *testing.T) {
	_, address, sockets := accepted(t)
	c := enter(t, address, "")
	s := await(t, sockets)
	var heard notes
	note := func(who string) func(*Event) {
		return func(e *Event) { heard.add(who + " " + e.Name) }
	}
	check := func(want ...string) {
		t.Helper()
		c.asked(`27["done"]`, `37[]`)
		got := slices.DeleteFunc(heard.take(), func(line string) bool { return strings.HasSuffix(line, " done") })
		if !slices.Equal(got, want) {
			t.Errorf("heard %q, want %q", got, want)
		}
	}
	s.On("done", func(e *Event) { _ = e.Ack() })
	s.OnAny(note("any"))
	offFirst := s.PrependAny(note("first"))
	offOn := s.On("a", note("on"))
	s.Once("a", note("once"))
	offOnce := s.Once("a", note("never"))
	offOnce()
	s.On("b", note("on"))

	c.send(`2["a"]`)
	c.send(`2["a"]`)
	check("first a", "any a", "on a", "once a", "first a", "any a", "on a")
	offFirst()
	offOn()
	offOn() // a second time does nothing
	c.send(`2["a"]`)
	c.send(`2["b"]`)
	check("any a", "any b", "on b")
	s.OffAny()
	s.Off("b")
	c.send(`2["b"]`)
	check()
}

func TestListenerThatTakesItselfAwayMidway(t *testing.T) {
	_, address, sockets := accepted(t)
	c := enter(t, address, "")
	s := await(t, sockets)
	n := 0
	var off func()
	off = s.On("a", func(*Event) { off(); n++ })
	s.On("a", func(*Event) { n += 10 })
	s.On("done", func(e *Event) { _ = e.Ack(n) })
	c.send(`2["a"]`)
	c.send(`2["a"]`)
	c.asked(`20["done"]`, `30[21]`)
}

func TestOutgoingListeners(t *testing.T) {
	srv, address, sockets := accepted(t)
	c := enter(t, address, "")
	s := await(t, sockets)
	other := enter(t, address, "")
	await(t, sockets)
	var heard notes
	note := func(who string) func(string, []any) {
		return func(event string, args []any) { heard.add(fmt.Sprint(who, " ", event, args)) }
	}
	s.OnAnyOutgoing(note("any"))
	off := s.PrependAnyOutgoing(note("first"))
	_ = s.Emit("a", 1)
	_ = srv.Of("/").Emit("b")
	off()
	_ = srv.Of("/").To(s.ID()).Emit("c", "x")
	_ = s.Broadcast().Emit("not to it")
	answered := make(chan error, 1)
	go func() {
		_, err := s.EmitWithAck(t.Context(), "d")
		answered <- err
	}()
	c.expect(`2["a",1]`, `2["b"]`, `2["c","x"]`, `20["d"]`)
	c.send(`30[]`)
	if err := await(t, answered); err != nil {
		t.Error(err)
	}
	other.expect(`2["b"]`, `2["not to it"]`)
	s.On("done", func(e *Event) { _ = e.Ack() })
	c.asked(`21["done"]`, `31[]`)
	s.OffAnyOutgoing()
	_ = s.Emit("e")
	_ = srv.Of("/").Emit("f")
	want := []string{"first a[1]", "any a[1]", "first b[]", "any b[]", "any c[x]", "any d[]"}
	if got := heard.take(); !slices.Equal(got, want) {
		t.Errorf("heard %q, want %q", got, want)
	}
}

func TestMiddlewareOfASocketRewritesEvents(t *testing.T) {
	_, address, sockets := accepted(t)
	c := enter(t, address, "")
	s := await(t, sockets)
	s.Use(func(e *Event) error {
		if e.Name == "forbidden" {
			return errors.New("no")
		}
		e.Name = strings.TrimPrefix(e.Name, "v1:")
		e.Args = append(e.Args, e.Args...)
		return nil
	})
	s.On("forbidden", func(*Event) { t.Error("the middleware let it through") })
	s.On("echo", func(e *Event) {
		out := make([]any, len(e.Args))
		for i, a := range e.Args {
			out[i] = a.JSON()
		}
		_ = e.Ack(out...)
	})
	c.send(`20["forbidden"]`)
	c.asked(`21["v1:echo",1,"x"]`, `31[1,"x",1,"x"]`)
}
