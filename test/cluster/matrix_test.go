package cluster

import (
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/pona-realtime/pona/pkg/adapter/redistest"
)

// stage is two servers of ours and two of Node's, with a client each: go1, go2, node1, node2. As the reference,
// all four are Node's.
type stage struct {
	mode      string
	reference bool
	redis     redis.UniversalClient // of our servers
	servers   map[string]server
	clients   map[string]*client
}

var names = []string{"go1", "go2", "node1", "node2"}

func setStage(t *testing.T, mode string, reference bool) *stage {
	t.Helper()
	r := redistest.Start(t)
	return setStageOn(t, mode, reference, redis.NewClient(&redis.Options{Addr: r.Addr(), MaxRetries: -1}), "redis://"+r.Addr())
}

// setStageOn closes the client of our servers in the end; Node's have theirs from redisURL and variables, see node/server.js.
func setStageOn(t *testing.T, mode string, reference bool, over redis.UniversalClient, redisURL string, variables ...string) *stage {
	t.Helper()
	s := &stage{mode: mode, reference: reference, redis: over, servers: map[string]server{}, clients: map[string]*client{}}
	t.Cleanup(func() { _ = over.Close() })
	for _, name := range names {
		var address string
		if s.kind(name) == "go" {
			g := startGo(t, over, mode, 3*time.Second)
			s.servers[name], address = g, g.address
		} else {
			n := startNode(t, redisURL, mode, 3*time.Second, variables...)
			s.servers[name], address = n, n.address
		}
		s.clients[name] = dial(t, name, address)
	}
	s.settle(t)
	return s
}

// kind is what a server says it is.
func (s *stage) kind(name string) string {
	if strings.HasPrefix(name, "go") && !s.reference {
		return "go"
	}
	return "node"
}

// synced waits until Redis has confirmed what our servers have subscribed to; Node's do not tell.
func (s *stage) synced(t *testing.T) {
	t.Helper()
	for _, server := range s.servers {
		if g, ours := server.(*goServer); ours {
			if err := g.bus.Synced(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// settle waits until every server counts four and knows of four clients, in a room that each has joined.
func (s *stage) settle(t *testing.T) {
	t.Helper()
	for _, nsp := range []string{"/", "/custom"} {
		for _, name := range names {
			eventually(t, func() error {
				if a := s.servers[name].do(t, command{Op: "serverCount", NSP: nsp}); a.Result != 4.0 {
					return fmt.Errorf("%s: %v servers in %s", name, a, nsp)
				}
				return nil
			})
		}
	}
	for _, name := range names {
		s.in(t, name, "everybody", names)
	}
	s.synced(t)
	for _, name := range []string{"node1", "node2"} { // their subscriptions tell nothing; their own messages come back
		end := "/ [\"settled\",\"" + name + "\"]"
		s.servers[name].do(t, command{Op: "emit", Rooms: []string{"everybody"}, Args: []any{"settled", name}})
		for _, c := range s.clients {
			c.until(t, end)
		}
	}
}

// ids are those of clients, by their servers' names.
func (s *stage) ids(names ...string) (ids []string) {
	for _, name := range names {
		ids = append(ids, s.clients[name].id)
	}
	return ids
}

// in waits until a server sees these clients in a room.
func (s *stage) in(t *testing.T, by, room string, want []string) {
	t.Helper()
	s.sees(t, by, command{Rooms: []string{room}}, s.ids(want...))
}

// sees waits until a server sees these sockets where a command says.
func (s *stage) sees(t *testing.T, by string, where command, want []string) {
	t.Helper()
	want = slices.Sorted(slices.Values(want))
	where.Op = "fetchSockets"
	eventually(t, func() error {
		a := s.servers[by].do(t, where)
		got := []string{}
		if list, ok := a.Result.([]any); ok {
			for _, one := range list {
				got = append(got, one.(map[string]any)["id"].(string))
			}
		}
		slices.Sort(got)
		if a.Error != "" || !slices.Equal(got, want) {
			return fmt.Errorf("%s sees in %s %v, %s, want %v", by, where.Rooms, got, a.Error, want)
		}
		return nil
	})
}

// TestMatrix is every operation, from each kind of server and the emitter, at each kind of server. What is expected
// is what clusters of Node's servers alone do: they are held to it too.
func TestMatrix(t *testing.T) {
	for _, mode := range []string{"classic", "specific", "sharded", "sharded-static", "sharded-dynamic-private", "classic, all Node", "sharded, all Node"} {
		t.Run(mode, func(t *testing.T) {
			mode, reference := strings.CutSuffix(mode, ", all Node")
			s := setStage(t, mode, reference)
			origins := map[string]server{"go1": s.servers["go1"], "node1": s.servers["node1"]}
			if !strings.HasPrefix(mode, "sharded") { // the emitter speaks classic
				origins["emitter"] = emitter{s.servers["node2"].(*nodeServer)}
			}
			for name, origin := range origins {
				t.Run("from "+name, func(t *testing.T) {
					s.rooms(t, origin)
					s.broadcasts(t, name, origin)
					s.serverSide(t, name, origin)
					if name != "emitter" { // which asks nothing, and is nowhere
						s.requests(t, origin)
						s.acknowledgements(t, origin)
						s.bytesInData(t, name, origin)
						s.localOrders(t, name, origin)
					}
					if s.kind(name) != "go" { // to ours a room's name is a text
						s.numericRooms(t, origin)
					}
					s.sendingFlags(t, name, origin)
					s.disconnects(t, origin)
				})
			}
		})
	}
}

// rooms lets clients of every server join and leave; then r has go2, node1 and node2, and s has go1 and go2.
func (s *stage) rooms(t *testing.T, origin server) {
	origin.do(t, command{Op: "socketsJoin", Rooms: []string{"everybody"}, Except: s.ids("go1"), Args: []any{"r", "extra"}})
	origin.do(t, command{Op: "socketsJoin", Rooms: s.ids("go1", "go2"), Args: []any{"s"}})
	for _, by := range []string{"go2", "node2"} {
		s.in(t, by, "r", []string{"go2", "node1", "node2"})
		s.in(t, by, "s", []string{"go1", "go2"})
		s.in(t, by, "extra", []string{"go2", "node1", "node2"})
	}
	origin.do(t, command{Op: "socketsLeave", Rooms: []string{"r"}, Args: []any{"extra"}})
	for _, by := range names {
		s.in(t, by, "extra", nil)
	}
	s.synced(t)
}

func (s *stage) broadcasts(t *testing.T, name string, origin server) {
	all := names
	local := map[string][]string{"go1": {"go1"}, "node1": {"node1"}}
	for what, test := range map[string]struct {
		c    command
		want []string
	}{
		"all":          {command{}, all},
		"a namespace":  {command{NSP: "/custom"}, all},
		"a room":       {command{Rooms: []string{"r"}}, []string{"go2", "node1", "node2"}},
		"rooms":        {command{Rooms: []string{"r", "s"}}, all},
		"except":       {command{Except: []string{"s"}}, []string{"node1", "node2"}},
		"room, except": {command{Rooms: []string{"r"}, Except: []string{"s", s.clients["node2"].id}}, []string{"node1"}},
		"one of ours":  {command{Rooms: []string{s.clients["go2"].id}}, []string{"go2"}},
		"one of Node":  {command{Rooms: []string{s.clients["node2"].id}}, []string{"node2"}},
		"volatile":     {command{Flags: flags{Volatile: true}}, all},
		"local":        {command{Flags: flags{Local: true}}, local[name]},
		"nobody":       {command{Rooms: []string{"nobody"}}, nil},
	} {
		if name == "emitter" && what == "local" {
			continue
		}
		nsp := test.c.NSP
		if nsp == "" {
			nsp = "/"
		}
		test.c.Op = "emit"
		test.c.Args = []any{"ev", what, map[string]any{"deep": []any{binary(1, 2), nil, 1.5}}, 9007199254740991, binary(), "<é>"}
		if a := origin.do(t, test.c); a.Error != "" {
			t.Fatal(a.Error)
		}
		origin.do(t, command{Op: "emit", NSP: test.c.NSP, Args: []any{"end", what}})
		var reached []string
		for _, c := range all {
			for _, e := range s.clients[c].until(t, nsp+` ["end","`+what+`"]`) {
				reached = append(reached, c)
				text, _ := strings.CutPrefix(e, nsp+" ")
				if !sameJSON(t, text, test.c.Args) {
					t.Errorf("%s: %s was sent %s", what, c, e)
				}
			}
		}
		if !slices.Equal(reached, test.want) {
			t.Errorf("%s: reached %v, want %v", what, reached, test.want)
		}
	}
}

func sameJSON(t *testing.T, text string, want any) bool {
	t.Helper()
	var got, expected any
	other, err := json.Marshal(want)
	if err == nil {
		err = json.Unmarshal(other, &expected)
	}
	if err != nil || json.Unmarshal([]byte(text), &got) != nil {
		t.Fatalf("%s, %v", text, err)
	}
	return reflect.DeepEqual(got, expected)
}

func (s *stage) serverSide(t *testing.T, name string, origin server) {
	others := slices.DeleteFunc(slices.Clone(names), func(n string) bool { return n == name })
	for _, n := range names {
		s.servers[n].do(t, command{Op: "heard"})
	}
	args := []any{1.0, "x"}
	if strings.HasPrefix(s.mode, "sharded") { // classic has no bytes for servers
		args = append(args, binary(6))
	}
	if a := origin.do(t, command{Op: "serverSideEmit", Args: append([]any{"hello"}, args...)}); a.Error != "" {
		t.Fatal(a.Error)
	}
	for _, n := range others {
		eventually(t, func() error {
			if a := s.servers[n].do(t, command{Op: "heard"}); !reflect.DeepEqual(a.Result, []any{args}) {
				return fmt.Errorf("%s heard %v", n, a.Result)
			}
			return nil
		})
	}
	if name == "emitter" {
		return
	}
	a := origin.do(t, command{Op: "serverSideEmitWithAck", Args: []any{"hello", "ack"}})
	var want []any
	for _, n := range others {
		want = append(want, s.kind(n))
	}
	if a.Error != "" || !reflect.DeepEqual(sorted(a.Result), sorted(want)) {
		t.Errorf("answers %v, %s, want %v", a.Result, a.Error, want)
	}
	if len(args) < 3 {
		return
	}
	a = origin.do(t, command{Op: "serverSideEmitWithAck", Args: []any{"hello", "bytes"}})
	if want := []any{binary(4, 5), binary(4, 5), binary(4, 5)}; a.Error != "" || !reflect.DeepEqual(a.Result, want) {
		t.Errorf("answers %v, %s, want %v", a.Result, a.Error, want)
	}
}

// sorted is a list in the order of its elements' JSON.
func sorted(list any) any {
	l, ok := list.([]any)
	if !ok {
		return list
	}
	l = slices.Clone(l)
	slices.SortFunc(l, func(a, b any) int { return strings.Compare(fmt.Sprint(a), fmt.Sprint(b)) })
	return l
}

func (s *stage) requests(t *testing.T, origin server) {
	a := origin.do(t, command{Op: "fetchSockets", Rooms: []string{"s", s.clients["node2"].id}, Except: []string{s.clients["go1"].id}})
	rooms := func(client string, in ...string) any {
		list := []any{}
		for _, room := range append(in, s.clients[client].id) {
			list = append(list, room)
		}
		return sorted(list)
	}
	handshake := []any{"address", "auth", "headers", "issued", "query", "secure", "time", "url", "xdomain"}
	want := sorted([]any{
		map[string]any{"id": s.clients["go2"].id, "rooms": rooms("go2", "everybody", "r", "s"), "data": map[string]any{"server": s.kind("go2")}, "auth": map[string]any{"name": "go2"}, "handshake": handshake},
		map[string]any{"id": s.clients["node2"].id, "rooms": rooms("node2", "everybody", "r"), "data": map[string]any{"server": "node"}, "auth": map[string]any{"name": "node2"}, "handshake": handshake},
	})
	if got := sorted(a.Result); a.Error != "" || !reflect.DeepEqual(got, want) {
		t.Errorf("sockets %v, %s, want %v", got, a.Error, want)
	}
	ids := []any{"everybody", "r", "s"}
	for _, c := range s.clients {
		ids = append(ids, c.id)
	}
	_, ours := origin.(*goServer)
	switch a := origin.do(t, command{Op: "allRooms"}); {
	case !ours && strings.HasSuffix(a.Error, "allRooms is not a function"): // Node's sharded adapter has none
	case a.Error != "" || !reflect.DeepEqual(sorted(a.Result), sorted(ids)):
		t.Errorf("rooms %v, %s, want %v", a.Result, a.Error, ids)
	}
}

func (s *stage) acknowledgements(t *testing.T, origin server) {
	a := origin.do(t, command{Op: "emitWithAck", Flags: flags{Timeout: 5000}, Args: []any{"q", binary(9)}})
	if want := []any{"go1", "go2", "node1", "node2"}; a.Error != "" || !reflect.DeepEqual(sorted(a.Result), want) {
		t.Errorf("answers %v, %s, want %v", a.Result, a.Error, want)
	}
	a = origin.do(t, command{Op: "emitWithAck", Rooms: []string{"r"}, Except: []string{"s"}, Flags: flags{Timeout: 5000}, Args: []any{"bytes"}})
	if want := []any{binary(1, 2, 3), binary(1, 2, 3)}; a.Error != "" || !reflect.DeepEqual(a.Result, want) {
		t.Errorf("bytes %v, %s, want %v", a.Result, a.Error, want)
	}
	a = origin.do(t, command{Op: "emitWithAck", Rooms: []string{"nobody"}, Flags: flags{Timeout: 5000}, Args: []any{"q"}})
	if list, _ := a.Result.([]any); a.Error != "" || len(list) != 0 {
		t.Errorf("nobody: %v, %s", a.Result, a.Error)
	}
	a = origin.do(t, command{Op: "emitWithAck", Flags: flags{Timeout: 200}, Args: []any{"silent"}})
	if list, _ := a.Result.([]any); !isTimeout(a) || len(list) != 0 {
		t.Errorf("silent: %v, %q", a.Result, a.Error)
	}
}

// address is where a server listens.
func (s *stage) address(name string) string {
	if g, ours := s.servers[name].(*goServer); ours {
		return g.address
	}
	return s.servers[name].(*nodeServer).address
}

// disconnects ends clients that it connects itself.
func (s *stage) disconnects(t *testing.T, origin server) {
	var victims []*client
	var ids []string
	for _, name := range []string{"go2", "node2"} {
		v := dial(t, "victim of "+name, s.address(name))
		victims, ids = append(victims, v), append(ids, v.id)
	}
	if a := origin.do(t, command{Op: "disconnectSockets", Rooms: ids, Args: []any{true}}); a.Error != "" {
		t.Fatal(a.Error)
	}
	for _, v := range victims {
		await(t, v)
	}
	for _, by := range names {
		s.in(t, by, "everybody", names)
	}
}
