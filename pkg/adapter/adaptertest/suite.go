// Package adaptertest holds the buses of package adapter to the same promises.
package adaptertest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/pona-realtime/pona/pkg/adapter"
)

// patience is how long the suite waits for what must come.
const patience = 20 * time.Second

// Cluster is what a bus is tested in.
type Cluster struct {
	// Bus returns the bus of one more process. It is closed with the test.
	Bus func(t *testing.T) adapter.Bus
	// Synced waits until what the bus has been told has come into force.
	Synced func(ctx context.Context, b adapter.Bus) error
	// Named tells that an answer says whose it is, so that those which are missing can be named.
	Named bool

	namespace string
}

// Run tests the promises, each in a namespace of its own: a Redis Cluster brings what was published before to one of its
// masters later than to another.
func Run(t *testing.T, c Cluster) {
	for name, test := range map[string]func(*testing.T, Cluster){
		"Broadcast": testBroadcast, "Order": testOrder, "NewRooms": testNewRooms, "Orders": testOrders, "Requests": testRequests, "BroadcastWithAck": testBroadcastWithAck,
		"ServerSide": testServerSide, "Visitor": testVisitor, "Missing": testMissing, "Linger": testLinger,
	} {
		c.namespace = "/guild/" + name
		t.Run(name, func(t *testing.T) { test(t, c) })
	}
}

// peer is one process: its node, and its part of the namespace.
type peer struct {
	bus     adapter.Bus
	node    *adapter.Node
	local   *Local
	cluster *adapter.Cluster
}

// start lets n processes join the namespace; each has the sockets a1, b1 and c1, and so on.
func start(t *testing.T, c Cluster, n int) []*peer {
	t.Helper()
	peers := make([]*peer, n)
	for i := range peers {
		p := &peer{bus: c.Bus(t), local: NewLocal()}
		p.node = adapter.NewNode(p.bus, adapter.Options{RequestTimeout: patience, Linger: 50 * time.Millisecond})
		t.Cleanup(p.node.Close)
		p.cluster = p.node.Join(c.namespace, p.local)
		p.local.cluster = p.cluster
		for _, name := range []string{"a", "b", "c"} {
			p.local.Add(fmt.Sprintf("%s%d", name, i+1))
		}
		peers[i] = p
	}
	for _, p := range peers {
		synced(t, c, p)
	}
	return peers
}

func synced(t *testing.T, c Cluster, p *peer) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if err := c.Synced(ctx, p.bus); err != nil {
		t.Fatal(err)
	}
}

func value(text string, attachments ...[]byte) adapter.Value {
	return adapter.Value{JSON: []byte(text), Attachments: attachments}
}

func testBroadcast(t *testing.T, c Cluster) {
	peers := start(t, c, 3)
	for _, p := range peers[1:] {
		p.local.Join(adapter.Target{Rooms: []string{"a2", "b3"}}, []string{"r"})
		p.local.Join(adapter.Target{Rooms: []string{"b3"}}, []string{"r 2"})
		synced(t, c, p)
	}
	binary := value(`["ev",{"deep":{"_placeholder":true,"num":0}},9223372036854776000,"\u003cé"]`, []byte{0, 1, 255})
	for name, test := range map[string]struct {
		to   adapter.Target
		want []string
	}{
		"all":          {adapter.Target{}, []string{"a2", "b2", "c2", "a3", "b3", "c3"}},
		"room":         {adapter.Target{Rooms: []string{"r"}}, []string{"a2", "b3"}},
		"rooms":        {adapter.Target{Rooms: []string{"r", "r 2", "c2"}}, []string{"a2", "b3", "c2"}},
		"except":       {adapter.Target{Rooms: []string{"r"}, Except: []string{"r 2"}}, []string{"a2"}},
		"all except":   {adapter.Target{Except: []string{"r", "c3"}}, []string{"b2", "c2", "a3"}},
		"a socket":     {adapter.Target{Rooms: []string{"c3"}}, []string{"c3"}},
		"own sockets":  {adapter.Target{Rooms: []string{"a1"}}, nil},
		"nobody":       {adapter.Target{Rooms: []string{"nobody"}}, nil},
		"long room id": {adapter.Target{Rooms: []string{strings.Repeat("x", 20)}}, nil},
	} {
		if err := peers[0].cluster.Broadcast(test.to, adapter.Flags{Volatile: true}, binary); err != nil {
			t.Fatal(err)
		}
		if err := peers[0].cluster.Broadcast(adapter.Target{}, adapter.Flags{}, value(`["end"]`)); err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, p := range peers[1:] {
			for _, d := range p.local.until(t, `["end"]`) {
				got = append(got, d.Sockets...)
				if !d.Flags.Volatile || !sameValue(d.Event, binary) {
					t.Errorf("%s: %+v, %s", name, d.Flags, d.Event.JSON)
				}
			}
		}
		slices.Sort(got)
		slices.Sort(test.want)
		if !slices.Equal(got, test.want) {
			t.Errorf("%s: reached %v, want %v", name, got, test.want)
		}
	}
	if n := len(peers[0].local.deliveries); n != 0 {
		t.Errorf("%d echoes", n)
	}
}

// testOrder publishes to everybody and to one room by turns: what one node sends stays in order.
func testOrder(t *testing.T, c Cluster) {
	peers := start(t, c, 2)
	const n = 500
	for i := range n {
		var to adapter.Target
		if i%2 == 1 {
			to.Rooms = []string{"a2"}
		}
		if err := peers[0].cluster.Broadcast(to, adapter.Flags{}, value(fmt.Sprintf(`["ev",%d]`, i))); err != nil {
			t.Fatal(err)
		}
	}
	_ = peers[0].cluster.Broadcast(adapter.Target{}, adapter.Flags{}, value(`["end"]`))
	got := peers[1].local.until(t, `["end"]`)
	if len(got) != n {
		t.Fatalf("%d of %d came", len(got), n)
	}
	for i, d := range got {
		if want := fmt.Sprintf(`["ev",%d]`, i); string(d.Event.JSON) != want {
			t.Fatalf("%s came where %s was due", d.Event.JSON, want)
		}
	}
}

// testNewRooms emits to rooms at once when others' sockets have been let in, by a member and by a visitor.
func testNewRooms(t *testing.T, c Cluster) {
	peers := start(t, c, 3)
	visitor := peers[0].node.Visit(c.namespace)
	defer visitor.Leave()
	for i, by := range []*adapter.Cluster{peers[0].cluster, visitor} {
		for n := range 20 {
			room := fmt.Sprintf("room %d of %d", n, i)
			if err := by.SocketsJoin(adapter.Target{Rooms: []string{"a2", "b3"}}, []string{room}); err != nil {
				t.Fatal(err)
			}
			if err := by.Broadcast(adapter.Target{Rooms: []string{room}}, adapter.Flags{}, value(fmt.Sprintf(`[%q]`, room))); err != nil {
				t.Fatal(err)
			}
		}
		if err := by.Broadcast(adapter.Target{}, adapter.Flags{}, value(`["end"]`)); err != nil {
			t.Fatal(err)
		}
		for _, p := range peers[1:] {
			got := p.local.until(t, `["end"]`)
			for _, d := range got {
				if len(d.Sockets) != 1 {
					t.Errorf("%s reached %v", d.Event.JSON, d.Sockets)
				}
			}
			if len(got) != 20 {
				t.Errorf("%d of 20 came", len(got))
			}
		}
	}
}

func testOrders(t *testing.T, c Cluster) {
	peers := start(t, c, 2)
	here, there := peers[0], peers[1]
	end := func() {
		t.Helper()
		_ = here.cluster.Broadcast(adapter.Target{}, adapter.Flags{}, value(`["end"]`))
		there.local.until(t, `["end"]`)
	}
	if err := here.cluster.SocketsJoin(adapter.Target{Rooms: []string{"a2", "b2"}, Except: []string{"b2"}}, []string{"x", "y"}); err != nil {
		t.Fatal(err)
	}
	end()
	if got := there.local.Members("x"); !slices.Equal(got, []string{"a2"}) || !slices.Equal(there.local.Members("y"), got) {
		t.Errorf("x has %v", got)
	}
	if err := here.cluster.SocketsLeave(adapter.Target{Rooms: []string{"x"}}, []string{"y", "z"}); err != nil {
		t.Fatal(err)
	}
	end()
	if got := there.local.Members("y"); len(got) != 0 {
		t.Errorf("y has %v", got)
	}
	if err := here.cluster.DisconnectSockets(adapter.Target{Rooms: []string{"x"}}, true); err != nil {
		t.Fatal(err)
	}
	end()
	if got := there.local.Members(""); !slices.Equal(got, []string{"b2", "c2"}) {
		t.Errorf("left are %v", got)
	}
	if got := here.local.Members(""); len(got) != 3 {
		t.Errorf("the sender's own: %v", got)
	}
}

func testRequests(t *testing.T, c Cluster) {
	peers := start(t, c, 3)
	peers[2].local.Join(adapter.Target{Rooms: []string{"b3"}}, []string{"r", "<room> 1"})
	sockets, err := peers[0].cluster.FetchSockets(t.Context(), adapter.Target{})
	ids := make([]string, len(sockets))
	for i, s := range sockets {
		ids[i] = s.ID
		if string(s.Data) != `{"of":"`+s.ID+`"}` || string(s.Handshake) != `{"auth":{}}` {
			t.Errorf("%s has %s, %s", s.ID, s.Data, s.Handshake)
		}
		slices.Sort(s.Rooms)
		if s.ID == "b3" && !slices.Equal(s.Rooms, []string{"<room> 1", "b3", "r"}) {
			t.Errorf("rooms %q", s.Rooms)
		}
	}
	slices.Sort(ids)
	if err != nil || !slices.Equal(ids, []string{"a2", "a3", "b2", "b3", "c2", "c3"}) {
		t.Errorf("%v, %v", ids, err)
	}
	if sockets, err := peers[0].cluster.FetchSockets(t.Context(), adapter.Target{Rooms: []string{"r"}, Except: []string{"a3"}}); err != nil || len(sockets) != 1 || sockets[0].ID != "b3" {
		t.Errorf("room: %v, %v", sockets, err)
	}
	rooms, err := peers[1].cluster.AllRooms(t.Context())
	if want := []string{"<room> 1", "a1", "a3", "b1", "b3", "c1", "c3", "r"}; err != nil || !slices.Equal(rooms, want) {
		t.Errorf("%v, %v, want %v", rooms, err, want)
	}
	if n, err := peers[0].cluster.Servers(t.Context()); n != 2 || err != nil {
		t.Errorf("%d others, %v", n, err)
	}
}

func testBroadcastWithAck(t *testing.T, c Cluster) {
	peers := start(t, c, 3)
	peers[1].local.Answer("a2", value(`{"bin":{"_placeholder":true,"num":0}}`, []byte{7}))
	peers[1].local.Answer("b2", value(`null`))
	peers[2].local.Answer("c3", value(`"three"`))
	peers[2].local.Join(adapter.Target{}, []string{"r"})
	answers, err := peers[0].cluster.BroadcastWithAck(t.Context(), adapter.Target{Rooms: []string{"a2", "b2", "c3"}}, adapter.Flags{}, value(`["q"]`))
	if err != nil || len(answers) != 3 {
		t.Fatalf("%v, %v", answers, err)
	}
	for _, want := range []adapter.Value{value(`null`), value(`"three"`), value(`{"bin":{"_placeholder":true,"num":0}}`, []byte{7})} {
		if !slices.ContainsFunc(answers, func(v adapter.Value) bool { return sameValue(v, want) }) {
			t.Errorf("%s is missing", want.JSON)
		}
	}
	if answers, err := peers[0].cluster.BroadcastWithAck(t.Context(), adapter.Target{Rooms: []string{"nobody"}}, adapter.Flags{}, value(`["q"]`)); err != nil || len(answers) != 0 {
		t.Errorf("nobody: %v, %v", answers, err)
	}
	incomplete, err := timedOut(t, 2, 1, func(ctx context.Context) (err error) {
		answers, err = peers[0].cluster.BroadcastWithAck(ctx, adapter.Target{Rooms: []string{"r"}}, adapter.Flags{}, value(`["q"]`))
		return err
	})
	if incomplete.Answered != 2 || incomplete.Clients != 1 || incomplete.ExpectedClient != 3 || len(answers) != 1 {
		t.Fatalf("two silent: %v, %v", answers, err)
	}
	if !errors.Is(err, context.DeadlineExceeded) || !strings.HasSuffix(err.Error(), "2 of 2 other nodes answered, and 1 of 3 clients: operation has timed out") {
		t.Error(err)
	}
}

func testServerSide(t *testing.T, c Cluster) {
	peers := start(t, c, 3)
	event := value(`["hi",{"_placeholder":true,"num":0}]`, []byte("x"))
	if err := peers[0].cluster.ServerSideEmit(event); err != nil {
		t.Fatal(err)
	}
	for _, p := range peers[1:] {
		if got := p.local.serverSide(t); !sameValue(got, event) {
			t.Errorf("heard %s", got.JSON)
		}
	}
	answers, err := peers[0].cluster.ServerSideEmitWithAck(t.Context(), value(`["echo",1]`))
	if err != nil || len(answers) != 2 || string(answers[0].JSON) != `["echo",1]` || string(answers[1].JSON) != `["echo",1]` {
		t.Errorf("%v, %v", answers, err)
	}
}

func testVisitor(t *testing.T, c Cluster) {
	peers := start(t, c, 2)
	bus := c.Bus(t)
	node := adapter.NewNode(bus, adapter.Options{RequestTimeout: patience, Linger: 50 * time.Millisecond})
	t.Cleanup(node.Close)
	visit := node.Visit(c.namespace)
	defer visit.Leave()
	if sockets, err := visit.FetchSockets(t.Context(), adapter.Target{}); err != nil || len(sockets) != 6 {
		t.Errorf("%d sockets, %v", len(sockets), err)
	}
	if n, err := visit.Servers(t.Context()); n != 2 || err != nil {
		t.Errorf("%d servers, %v", n, err)
	}
	if n, err := peers[0].cluster.Servers(t.Context()); n != 1 || err != nil {
		t.Errorf("%d others, with a visitor; %v", n, err)
	}
	if answers, err := visit.ServerSideEmitWithAck(t.Context(), value(`["echo"]`)); err != nil || len(answers) != 2 {
		t.Errorf("%v, %v", answers, err)
	}
	nobody := node.Visit("/nobody")
	defer nobody.Leave()
	if sockets, err := nobody.FetchSockets(t.Context(), adapter.Target{}); err != nil || len(sockets) != 0 {
		t.Errorf("nobody: %v, %v", sockets, err)
	}
}

// timedOut asks for what cannot be complete, with as much time as it takes so many nodes and clients to answer on this
// machine.
func timedOut(t *testing.T, nodes, clients int, ask func(context.Context) error) (*adapter.Incomplete, error) {
	t.Helper()
	for wait := 300 * time.Millisecond; ; wait *= 2 {
		ctx, cancel := context.WithTimeout(t.Context(), wait)
		err := ask(ctx)
		cancel()
		var incomplete *adapter.Incomplete
		if !errors.As(err, &incomplete) {
			t.Fatal(err)
		}
		if incomplete.Answered >= nodes && incomplete.Clients >= clients || wait > patience {
			return incomplete, err
		}
	}
}

// testMissing lets one of two nodes be silent.
func testMissing(t *testing.T, c Cluster) {
	peers := start(t, c, 3)
	silent := peers[2].local
	if _, err := peers[0].cluster.ServerSideEmitWithAck(t.Context(), value(`["echo"]`)); err != nil {
		t.Fatal(err)
	}
	silent.Mute()
	var answers []adapter.Value
	incomplete, err := timedOut(t, 1, 0, func(ctx context.Context) (err error) {
		answers, err = peers[0].cluster.ServerSideEmitWithAck(ctx, value(`["echo"]`))
		return err
	})
	if incomplete.Answered != 1 || incomplete.Expected != 2 || len(answers) != 1 || !errors.Is(err, context.DeadlineExceeded) {
		t.Fatalf("%v, %v", answers, err)
	}
	var want []string
	if c.Named {
		want = append(want, silent.cluster.UID())
	}
	if !slices.Equal(incomplete.Missing, want) {
		t.Errorf("missing are %v, want %v", incomplete.Missing, want)
	}
	text := "adapter: serverSideEmit: 1 of 2 other nodes answered"
	if c.Named {
		text += ", missing: " + want[0]
	}
	if err.Error() != text+": context deadline exceeded" {
		t.Error(err)
	}
}

// testLinger lets a namespace empty: for a while it is still a member that answers, then it is none.
func testLinger(t *testing.T, c Cluster) {
	here := start(t, c, 1)[0]
	empty := func(linger time.Duration) *adapter.Node {
		t.Helper()
		node := adapter.NewNode(c.Bus(t), adapter.Options{RequestTimeout: patience, Linger: linger})
		t.Cleanup(node.Close)
		local := NewLocal()
		local.cluster = node.Join(c.namespace, local)
		if _, err := local.cluster.Servers(t.Context()); err != nil { // is counted
			t.Fatal(err)
		}
		local.cluster.Leave()
		return node
	}
	lingering := empty(time.Hour)
	if sockets, err := here.cluster.FetchSockets(t.Context(), adapter.Target{}); err != nil || len(sockets) != 0 {
		t.Errorf("%v, %v", sockets, err)
	}
	if answers, err := here.cluster.ServerSideEmitWithAck(t.Context(), value(`["echo"]`)); err != nil || len(answers) != 1 || string(answers[0].JSON) != "null" {
		t.Errorf("%v, %v", answers, err)
	}
	lingering.Close()
	empty(50 * time.Millisecond)
	if answers, err := here.cluster.BroadcastWithAck(t.Context(), adapter.Target{}, adapter.Flags{}, value(`["q"]`)); err != nil || len(answers) != 0 {
		t.Errorf("%v, %v", answers, err)
	}
	if err := here.cluster.ServerSideEmit(value(`["hi"]`)); err != nil {
		t.Error(err)
	}
	for deadline := time.Now().Add(patience); ; {
		n, err := here.cluster.Servers(t.Context())
		if n == 0 && err == nil {
			return
		}
		if err != nil || time.Now().After(deadline) {
			t.Fatalf("still a member: %v", err)
		}
	}
}
