package cluster

import (
	"fmt"
	"io"
	"net/http"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
)

// numericRooms names rooms by numbers, as programs for Node do. Sockets of ours are in those of the same digits, and these are
// all that ours mean by digits: to Node a text is another room.
func (s *stage) numericRooms(t *testing.T, origin server) {
	const large = "1234567890123456800" // more than a float64 tells from its neighbours
	members := map[string][]string{"7": {"go2", "node1", "node2"}, "8": {"go1", "go2"}, large: {"go1", "go2", "node1"}}
	for room, names := range map[any]string{7: "7", 8: "8", 1234567890123456800.0: large} {
		origin.do(t, command{Op: "socketsJoin", Rooms: s.ids(members[names]...), Args: []any{room}})
	}
	of := func(kind, room string) []string {
		return slices.DeleteFunc(slices.Clone(members[room]), func(n string) bool { return s.kind(n) != kind })
	}
	for room := range members {
		for _, by := range names {
			if s.kind(by) == "go" {
				s.in(t, by, room, of("go", room))
			} else {
				s.sees(t, by, command{Rooms: []string{room}, Numeric: true}, s.ids(members[room]...))
			}
		}
		s.awaitChannel(t, room, len(members[room]))
	}
	s.sees(t, "node1", command{Rooms: []string{"8"}, Except: []string{"7"}, Numeric: true}, s.ids("go1"))
	a := s.servers["go1"].do(t, command{Op: "fetchSockets", Rooms: s.ids("node2")})
	list, _ := a.Result.([]any)
	if len(list) != 1 || !slices.ContainsFunc(list[0].(map[string]any)["rooms"].([]any), func(r any) bool { return fmt.Sprint(r) == "7" }) {
		t.Errorf("a socket of Node's: %v, %s", a.Result, a.Error)
	}
	for what, test := range map[string]struct {
		by   server
		c    command
		want []string
	}{
		"a number":        {origin, command{Rooms: []string{"7"}, Numeric: true}, members["7"]},
		"a large number":  {origin, command{Rooms: []string{large}, Numeric: true}, members[large]},
		"numbers":         {origin, command{Rooms: []string{"7", "8"}, Numeric: true}, names},
		"but a number":    {origin, command{Except: []string{"7"}, Numeric: true}, []string{"go1"}},
		"no such number":  {origin, command{Rooms: []string{"70"}, Numeric: true}, nil},
		"digits":          {origin, command{Rooms: []string{"7"}}, of("go", "7")},
		"digits, by ours": {s.servers["go1"], command{Rooms: []string{"7"}}, of("go", "7")},
	} {
		test.c.Op, test.c.Args = "emit", []any{"numbered", what}
		if a := test.by.do(t, test.c); a.Error != "" {
			t.Fatal(a.Error)
		}
		test.by.do(t, command{Op: "emit", Args: []any{"end", what}})
		var reached []string
		for _, c := range names {
			for range s.clients[c].until(t, `/ ["end","`+what+`"]`) {
				reached = append(reached, c)
			}
		}
		if !slices.Equal(reached, test.want) {
			t.Errorf("%s: reached %v, want %v", what, reached, test.want)
		}
	}
	origin.do(t, command{Op: "socketsLeave", Rooms: []string{"7"}, Numeric: true, Args: []any{7}})
	origin.do(t, command{Op: "socketsLeave", Args: []any{8, 1234567890123456800.0}})
	for room := range members {
		for _, by := range names {
			s.sees(t, by, command{Rooms: []string{room}, Numeric: true}, nil)
		}
	}
}

// awaitChannel waits until a new room's members listen to it, where rooms have channels; Node's servers do not tell.
func (s *stage) awaitChannel(t *testing.T, room string, members int) {
	t.Helper()
	s.synced(t)
	if !strings.HasPrefix(s.mode, "sharded") || s.mode == "sharded-static" {
		return
	}
	channel := key + "#/#" + room + "#"
	eventually(t, func() error {
		n, err := s.redis.(*redis.Client).PubSubShardNumSub(t.Context(), channel).Result()
		if err != nil || n[channel] < int64(members) {
			return fmt.Errorf("%v, %w", n, err)
		}
		return nil
	})
}

// localOrders are for the origin's own sockets; an order to all follows each.
func (s *stage) localOrders(t *testing.T, name string, origin server) {
	here := flags{Local: true}
	others := slices.DeleteFunc(slices.Clone(names), func(n string) bool { return n == name })
	origin.do(t, command{Op: "socketsJoin", Flags: here, Rooms: []string{"everybody"}, Args: []any{"here"}})
	origin.do(t, command{Op: "socketsJoin", Rooms: []string{"everybody"}, Args: []any{"after"}})
	for _, by := range names {
		s.in(t, by, "after", names)
		s.in(t, by, "here", []string{name})
	}
	origin.do(t, command{Op: "socketsLeave", Flags: here, Rooms: []string{"everybody"}, Args: []any{"after"}})
	origin.do(t, command{Op: "socketsJoin", Rooms: []string{"everybody"}, Args: []any{"at last"}})
	for _, by := range names {
		s.in(t, by, "at last", names)
		s.in(t, by, "after", others)
	}

	var ids []string
	own := dial(t, "victim of "+name, s.address(name))
	spared := map[string]*client{}
	for _, n := range []string{"go2", "node2"} {
		spared[n] = dial(t, "spared by "+name, s.address(n))
		ids = append(ids, spared[n].id)
	}
	all := append(slices.Clone(ids), own.id)
	origin.do(t, command{Op: "disconnectSockets", Flags: here, Rooms: all, Args: []any{true}})
	origin.do(t, command{Op: "socketsJoin", Rooms: all, Args: []any{"spared"}})
	await(t, own)
	for _, by := range names {
		s.sees(t, by, command{Rooms: []string{"spared"}}, ids)
	}
	origin.do(t, command{Op: "disconnectSockets", Rooms: all, Args: []any{true}})
	for _, c := range spared {
		await(t, c)
	}
	origin.do(t, command{Op: "socketsLeave", Rooms: []string{"everybody"}, Args: []any{"here", "after", "at last"}})
	for _, by := range names {
		s.in(t, by, "everybody", names)
		for _, room := range []string{"here", "after", "at last"} {
			s.in(t, by, room, nil)
		}
	}
}

// await waits for the end of a connection.
func await(t *testing.T, c *client) {
	t.Helper()
	select {
	case <-c.closed:
	case <-time.After(patience):
		t.Errorf("%s is still there", c.name)
	}
}

// bytesInData puts bytes into what sockets of Node's say of themselves. Ours show them as JSON.stringify does, in either form.
func (s *stage) bytesInData(t *testing.T, name string, origin server) {
	stringified := strings.HasPrefix(s.mode, "classic") || s.mode == "specific" || s.kind(name) == "go" // Node has bytes for Node
	asShown := func(b ...byte) any {
		if !stringified {
			return binary(b...)
		}
		list := []any{}
		for _, x := range b {
			list = append(list, float64(x))
		}
		return map[string]any{"type": "Buffer", "data": list}
	}
	data := func(n byte, bytes func(...byte) any) any {
		return map[string]any{"b": bytes(n, 2), "deep": []any{map[string]any{"none": bytes()}, 1.5, nil}, "of": "node", "z": bytes(255, 0, n)}
	}
	want := map[string]any{s.clients["node2"].id: map[string]any{"server": "node"}}
	ids := s.ids("node2")
	var carriers []*client
	for n := range byte(2) {
		c := dial(t, "carrier", s.address("node2"))
		if a := s.servers["node2"].do(t, command{Op: "setData", Rooms: []string{c.id}, Args: []any{data(n, binary)}}); a.Error != "" {
			t.Fatal(a.Error)
		}
		carriers, ids, want[c.id] = append(carriers, c), append(ids, c.id), data(n, asShown)
	}
	a := origin.do(t, command{Op: "fetchSockets", Rooms: ids})
	got := map[string]any{}
	list, _ := a.Result.([]any)
	for _, socket := range list {
		got[socket.(map[string]any)["id"].(string)] = socket.(map[string]any)["data"]
	}
	if a.Error != "" || !reflect.DeepEqual(got, want) {
		t.Errorf("data %v, %s, want %v", got, a.Error, want)
	}
	for _, c := range carriers {
		_ = c.ws.Close()
	}
	for _, by := range names {
		s.in(t, by, "everybody", names)
	}
}

// sendingFlags emits to a client that polls and does not at the moment: what is volatile is not for it, but for all others, and what
// is not to be compressed comes as it is.
func (s *stage) sendingFlags(t *testing.T, name string, origin server) {
	lazy := pollAt(t, s.address("go2"), "/custom")
	emit := func(f flags, args ...any) {
		t.Helper()
		if a := origin.do(t, command{Op: "emit", NSP: "/custom", Flags: f, Args: args}); a.Error != "" {
			t.Fatal(a.Error)
		}
	}
	emit(flags{Volatile: true}, "volatile", name)
	emit(flags{}, "end", name)
	for _, c := range names {
		if before := s.clients[c].until(t, `/custom ["end","`+name+`"]`); !slices.Equal(before, []string{`/custom ["volatile","` + name + `"]`}) {
			t.Errorf("%s was sent %q", c, before)
		}
	}
	if got, _ := lazy.poll(t); got != `42/custom,["end","`+name+`"]` {
		t.Errorf("who did not poll got %q", got)
	}
	large := strings.Repeat("x", 2000)
	for coding, f := range map[string]flags{"": {Uncompressed: true}, "gzip": {}} {
		emit(f, "large", large, name)
		event := `/custom ["large","` + large + `","` + name + `"]`
		for _, c := range names {
			if before := s.clients[c].until(t, event); len(before) > 0 {
				t.Errorf("%s was sent %q", c, before)
			}
		}
		if got, how := lazy.poll(t); how != coding || coding == "" && got != "42"+strings.Replace(event, " ", ",", 1) {
			t.Errorf("%+v: %d bytes with the coding %q", f, len(got), how)
		}
	}
	lazy.post(t, "1")
}

// poller is a client that polls when the test says so.
type poller struct {
	url  string
	http *http.Client
}

func pollAt(t *testing.T, address, namespace string) *poller {
	t.Helper()
	transport := &http.Transport{DisableCompression: true} // shows what is compressed
	t.Cleanup(transport.CloseIdleConnections)
	p := &poller{url: "http://" + address + "/socket.io/?EIO=4&transport=polling", http: &http.Client{Transport: transport, Timeout: patience}}
	opened, _ := p.poll(t)
	_, after, _ := strings.Cut(opened, `"sid":"`)
	sid, _, _ := strings.Cut(after, `"`)
	p.url += "&sid=" + sid
	p.post(t, "40"+namespace+",")
	if got, _ := p.poll(t); !strings.HasPrefix(got, "40"+namespace+",{") {
		t.Fatalf("%s answers %q", namespace, got)
	}
	return p
}

func (p *poller) poll(t *testing.T) (body, coding string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, p.url, nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Accept-Encoding", "gzip")
	return p.do(t, r)
}

func (p *poller) post(t *testing.T, body string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, p.url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	if answer, _ := p.do(t, r); answer != "ok" {
		t.Fatalf("%q is answered %q", body, answer)
	}
}

func (p *poller) do(t *testing.T, r *http.Request) (body, coding string) {
	t.Helper()
	answer, err := p.http.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	b, err := io.ReadAll(answer.Body)
	if err != nil || answer.StatusCode != http.StatusOK {
		t.Fatalf("%s %q, %v", answer.Status, b, err)
	}
	return string(b), answer.Header.Get("Content-Encoding")
}
