package socketio

import (
	"context"
	"encoding/json"
	"errors"
	"regexp"
	"slices"
	"testing"
	"time"

	"github.com/pona-realtime/pona/pkg/engineio"
)

func TestParentEmitsToAllChildren(t *testing.T) {
	sockets := make(chan *Socket, 4)
	var parent *ParentNamespace
	_, address := listen(t, Options{}, func(s *Server) {
		parent = s.OfRegexp(regexp.MustCompile(`^/guild/\d+$`))
		parent.OnConnection(func(s *Socket) { sockets <- s })
		s.OfRegexp(regexp.MustCompile(`^/other$`))
	})
	c := dial(t, address)
	for _, prefix := range []string{"/guild/1,", "/guild/2,", "/other,"} {
		c.connect(prefix)
	}
	first, second := await(t, sockets), await(t, sockets)
	first.Join("r")
	_ = parent.To("r").Emit("a")
	_ = parent.Except(second.ID()).Emit("b")
	c.expect("2"+first.Namespace().Name()+`,["a"]`, "2"+first.Namespace().Name()+`,["b"]`)
	_ = parent.Emit("c", 1)
	got := []string{c.receive(), c.receive()}
	slices.Sort(got)
	if !slices.Equal(got, []string{`2/guild/1,["c",1]`, `2/guild/2,["c",1]`}) {
		t.Errorf("received %q", got)
	}
	if err := parent.Emit("connect"); err == nil {
		t.Error("a reserved name was taken")
	}
}

func TestFetchSockets(t *testing.T) {
	srv, address, sockets := accepted(t)
	c := dial(t, address)
	c.send(`0{"token":"t"}`)
	c.receive()
	s := await(t, sockets)
	s.Join("r")
	s.SetData(map[string]any{"name": "ada"})
	enter(t, address, "")
	await(t, sockets)

	all, err := srv.Of("/").FetchSockets(t.Context())
	if err != nil || len(all) != 2 {
		t.Fatalf("%d sockets, %v", len(all), err)
	}
	some, err := srv.Of("/").In("r").FetchSockets(t.Context())
	if err != nil || len(some) != 1 {
		t.Fatalf("%d sockets, %v", len(some), err)
	}
	r := some[0]
	var handshake struct {
		Auth    struct{ Token string }
		Query   map[string]string
		Headers map[string]string
	}
	if err := json.Unmarshal(r.Handshake, &handshake); err != nil {
		t.Fatal(err)
	}
	if handshake.Auth.Token != "t" || handshake.Query["q"] != "1" || handshake.Headers["host"] == "" {
		t.Errorf("handshake %s", r.Handshake)
	}
	slices.Sort(r.Rooms)
	want := []string{"r", s.ID()}
	slices.Sort(want)
	if r.ID != s.ID() || !slices.Equal(r.Rooms, want) || string(r.Data) != `{"name":"ada"}` {
		t.Errorf("fetched %+v", r)
	}
	_ = r.Emit("hello")
	c.expect(`2["hello"]`)
	r.Join("x")
	r.Leave("r")
	if rooms := s.Rooms(); !slices.Contains(rooms, "x") || slices.Contains(rooms, "r") {
		t.Errorf("rooms %q", rooms)
	}
	r.Disconnect(false)
	c.expect("1")

	none, err := srv.Of("/").In("nobody").FetchSockets(t.Context())
	if err != nil || none == nil || len(none) != 0 {
		t.Errorf("%v, %v", none, err)
	}
}

func TestSocketOperators(t *testing.T) {
	srv, address, sockets := accepted(t)
	c, s := enter(t, address, ""), await(t, sockets)
	other, o := enter(t, address, ""), await(t, sockets)
	if s.ID() == o.ID() {
		t.Fatal("two sockets with one id")
	}
	s.Join("r")
	o.Join("r")
	_ = s.Volatile().Emit("volatile")
	_ = s.Compress(false).Emit("uncompressed")
	_ = s.To("r").Emit("to")
	_ = s.In("r").Emit("in")
	_ = s.Except("nobody").Emit("except")
	_ = srv.Of("/").Except("r").Emit("nobody gets this")
	srv.Of("/").SocketsJoin("all")
	srv.Of("/").SocketsLeave("r")
	_ = srv.Of("/").To("r").Emit("nor this")
	_ = srv.Of("/").To("all", "r").Local().Emit("last")
	c.expect(`2["volatile"]`, `2["uncompressed"]`, `2["last"]`)
	other.expect(`2["to"]`, `2["in"]`, `2["except"]`, `2["last"]`)
	srv.Of("/").DisconnectSockets(true)
	c.expect("1")
	c.expectClosed()
}

func TestOperatorsAreImmutable(t *testing.T) {
	srv, address, sockets := accepted(t)
	c := enter(t, address, "")
	s := await(t, sockets)
	base := srv.Of("/").To("a")
	_ = base.To("b")
	_ = base.Except(s.ID())
	_ = base.Volatile()
	s.Join("b")
	_ = base.Emit("to a only")
	s.Join("a")
	_ = base.Emit("yes")
	c.expect(`2["yes"]`)
}

func TestBroadcastTimeout(t *testing.T) {
	srv, address, sockets := accepted(t)
	c, silent := enter(t, address, ""), enter(t, address, "")
	await(t, sockets)
	await(t, sockets)
	type result struct {
		answers []Args
		err     error
	}
	done := make(chan result, 1)
	go func() {
		answers, err := srv.Of("/").Timeout(200*time.Millisecond).EmitWithAck(t.Context(), "q")
		done <- result{answers, err}
	}()
	silent.expect(`20["q"]`)
	c.expect(`20["q"]`)
	c.send(`30["partial"]`)
	r := await(t, done)
	if !errors.Is(r.err, context.DeadlineExceeded) || len(r.answers) != 1 {
		t.Errorf("%v, %v", r.answers, r.err)
	}
	if answers, err := srv.Of("/").To("nobody").Timeout(time.Hour).EmitWithAck(t.Context(), "q"); err != nil || len(answers) != 0 {
		t.Errorf("nobody was asked: %v, %v", answers, err)
	}
}

func TestNamespaceLinger(t *testing.T) {
	gone := make(chan struct{}, 4)
	s, address := listen(t, Options{NamespaceLinger: time.Hour}, func(s *Server) {
		s.OfRegexp(regexp.MustCompile(`^/lingers$`)).OnConnection(func(s *Socket) {
			s.OnDisconnect(func(string) { gone <- struct{}{} })
		})
	})
	c := dial(t, address)
	c.connect("/lingers,")
	n := s.Lookup("/lingers")
	c.send("1/lingers,")
	await(t, gone)
	c.connect("/lingers,")
	if s.Lookup("/lingers") != n || n == nil {
		t.Error("it did not linger")
	}
	c.send("1/lingers,")
	await(t, gone)
	n.emptySince = n.emptySince.Add(-time.Hour) // as if the hour were over
	s.forget(n)
	if s.Lookup("/lingers") != nil {
		t.Error("it lingers on")
	}
}

func TestCloseFlushes(t *testing.T) {
	sockets := make(chan *Socket, 1)
	reasons := make(chan string, 1)
	s, address := listen(t, Options{Engine: engineio.Options{}}, func(s *Server) {
		s.Of("/").OnConnection(func(s *Socket) {
			s.OnDisconnect(func(reason string) { reasons <- reason })
			sockets <- s
		})
	})
	c := enter(t, address, "")
	socket := await(t, sockets)
	big := make([]byte, 4<<20) // more than the kernel takes at once
	_ = socket.Emit("big", big)
	done := make(chan error, 1)
	go func() { done <- s.Close(t.Context()) }()
	if reason := await(t, reasons); reason != "server shutting down" {
		t.Error(reason)
	}
	if got := c.receive(); got != `51-["big",{"_placeholder":true,"num":0}]` {
		t.Error(got)
	}
	if got := c.receive(); len(got) != len(big) {
		t.Errorf("%d bytes of %d", len(got), len(big))
	}
	c.expectClosed()
	if err := await(t, done); err != nil {
		t.Error(err)
	}
}
