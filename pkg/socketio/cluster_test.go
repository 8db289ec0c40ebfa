package socketio

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/websocket"

	"github.com/pona-realtime/pona/pkg/adapter"
	"github.com/pona-realtime/pona/pkg/adapter/memory"
)

// pair starts two servers of one cluster, each with a client in "/".
func pair(t *testing.T) (servers [2]*Server, clients [2]*client, ids [2]string) {
	t.Helper()
	bus := &memory.Bus{}
	t.Cleanup(bus.Wait)
	for i := range servers {
		node := adapter.NewNode(bus, adapter.Options{})
		t.Cleanup(node.Close)
		var address string
		servers[i], address = listen(t, Options{Cluster: node}, func(s *Server) {
			s.OfRegexp(regexp.MustCompile("^/room/"))
		})
		clients[i] = dial(t, address)
		ids[i] = clients[i].connect("")
	}
	return servers, clients, ids
}

func TestClusterBroadcasts(t *testing.T) {
	servers, clients, ids := pair(t)
	here, there := servers[0].Of("/"), servers[1].Of("/")
	there.Socket(ids[1]).Join("r")
	for name, test := range map[string]struct {
		b         Broadcast
		here, far bool
	}{
		"all":            {here.To(), true, true},
		"a room":         {here.To("r"), false, true},
		"a socket":       {here.To(ids[1]), false, true},
		"except a room":  {here.Except("r"), true, false},
		"from a socket":  {here.Socket(ids[0]).Broadcast(), false, true},
		"on this node":   {here.Local(), true, false},
		"volatile":       {here.Volatile(), true, true},
		"the other way":  {there.Except(ids[1]), true, false},
		"rooms, nobody":  {here.To("nobody", "none"), false, false},
		"a room not met": {here.To("r").Except(ids[1]), false, false},
	} {
		if err := test.b.Emit("ev", name, map[string]any{"b": []byte{1, 2}}, Raw(`9223372036854776000`)); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		for i, wanted := range []bool{test.here, test.far} {
			if wanted {
				clients[i].expect(`51-["ev","`+name+`",{"b":{"_placeholder":true,"num":0}},9223372036854776000]`, "\x01\x02")
			}
		}
	}
	if err := here.Emit("last"); err != nil {
		t.Fatal(err)
	}
	clients[0].expect(`2["last"]`) // and nothing before it that was not meant
	clients[1].expect(`2["last"]`)
}

func TestClusterAcknowledgements(t *testing.T) {
	servers, clients, _ := pair(t)
	type result struct {
		answers []Args
		err     error
	}
	ask := func(ctx context.Context) <-chan result {
		answer := make(chan result, 1)
		go func() {
			answers, err := servers[0].Of("/").EmitWithAck(ctx, "q")
			answer <- result{answers, err}
		}()
		return answer
	}
	answer := ask(t.Context())
	clients[0].expect(`20["q"]`)
	clients[1].expect(`20["q"]`)
	clients[0].send(`30["here"]`)
	clients[1].send(`61-0[{"deep":{"_placeholder":true,"num":0}},"second"]`)
	clients[1].sendBinary(7)
	r := await(t, answer)
	if r.err != nil || len(r.answers) != 2 || string(r.answers[0][0].JSON()) != `"here"` || string(r.answers[1][0].JSON()) != `{"deep":"Bw=="}` {
		t.Fatalf("%v, %v", r.answers, r.err)
	}

	for wait, id := 50*time.Millisecond, 1; ; wait, id = 2*wait, id+1 { // as long as this machine takes for one answer
		ctx, cancel := context.WithTimeout(t.Context(), wait)
		answer = ask(ctx)
		clients[1].expect(fmt.Sprintf(`2%d["q"]`, id))
		clients[1].send(fmt.Sprintf(`3%d[]`, id))
		r = await(t, answer)
		cancel()
		clients[0].expect(fmt.Sprintf(`2%d["q"]`, id))
		if len(r.answers) == 1 || wait > patience/4 {
			break
		}
	}
	if !errors.Is(r.err, context.DeadlineExceeded) || len(r.answers) != 1 || string(r.answers[0][0].JSON()) != "null" {
		t.Fatalf("one silent here: %v, %v", r.answers, r.err)
	}
}

func TestClusterAcknowledgementsMissing(t *testing.T) {
	servers, clients, _ := pair(t)
	var err error
	var incomplete *adapter.Incomplete
	for wait, id := 50*time.Millisecond, 0; ; wait, id = 2*wait, id+1 { // as long as this machine takes for the other node's answer
		ctx, cancel := context.WithTimeout(t.Context(), wait)
		_, err = servers[0].Of("/").Except(servers[0].Of("/").Sockets()[0].ID()).EmitWithAck(ctx, "q")
		cancel()
		clients[1].expect(fmt.Sprintf(`2%d["q"]`, id))
		if errors.As(err, &incomplete) && incomplete.Answered == 1 || wait > patience/4 {
			break
		}
	}
	if incomplete == nil || incomplete.Answered != 1 || incomplete.Expected != 1 || incomplete.ExpectedClient != 1 || incomplete.Clients != 0 {
		t.Fatalf("%+v", err)
	}
}

func TestClusterSockets(t *testing.T) {
	servers, clients, ids := pair(t)
	here, there := servers[0].Of("/"), servers[1].Of("/")
	there.Socket(ids[1]).SetData(map[string]int{"n": 1})
	if err := here.To(ids[1], "nobody").SocketsJoin("a", "b"); err != nil {
		t.Fatal(err)
	}
	sockets, err := here.In("a").FetchSockets(t.Context())
	if err != nil || len(sockets) != 1 || sockets[0].ID != ids[1] || string(sockets[0].Data) != `{"n":1}` ||
		!strings.Contains(string(sockets[0].Handshake), `"query":{"EIO":"4"`) {
		t.Fatalf("%+v, %v", sockets, err)
	}
	rooms := sockets[0].Rooms
	slices.Sort(rooms)
	want := []string{ids[1], "a", "b"}
	slices.Sort(want)
	if !slices.Equal(rooms, want) {
		t.Fatalf("rooms %v, want %v", rooms, want)
	}
	if err := here.In("a").SocketsLeave("b"); err != nil {
		t.Fatal(err)
	}
	all, err := here.AllRooms(t.Context())
	slices.Sort(all)
	want = []string{ids[0], ids[1], "a"}
	slices.Sort(want)
	if err != nil || !slices.Equal(all, want) {
		t.Fatalf("all rooms %v, %v, want %v", all, err, want)
	}
	if sockets, err := here.FetchSockets(t.Context()); err != nil || len(sockets) != 2 {
		t.Fatalf("%v, %v", sockets, err)
	}
	if sockets, err := here.Local().FetchSockets(t.Context()); err != nil || len(sockets) != 1 {
		t.Fatalf("local: %v, %v", sockets, err)
	}
	if n, err := here.ServerCount(t.Context()); n != 2 || err != nil {
		t.Fatalf("%d servers, %v", n, err)
	}
	if err := here.In("a").DisconnectSockets(true); err != nil {
		t.Fatal(err)
	}
	clients[1].expect("1")
	clients[1].expectClosed()
}

func TestServerSideEvents(t *testing.T) {
	servers, _, _ := pair(t)
	heard := make(chan string, 1)
	servers[1].Of("/").OnServerSideEmit("hello", func(e *ServerSideEvent) {
		if e.WantsAck() {
			_ = e.Ack([]byte{1})
			_ = e.Ack("again")
			return
		}
		b, _ := e.Args[1].Bytes()
		heard <- string(e.Args[0].JSON()) + string(b)
	})
	if err := servers[0].Of("/").ServerSideEmit("hello", 1.5, []byte("x")); err != nil {
		t.Fatal(err)
	}
	if got := await(t, heard); got != "1.5x" {
		t.Fatalf("heard %s", got)
	}
	answers, err := servers[0].Of("/").ServerSideEmitWithAck(t.Context(), "hello")
	if err != nil || len(answers) != 1 {
		t.Fatalf("%v, %v", answers, err)
	}
	if b, ok := answers[0].Bytes(); !ok || string(b) != "\x01" {
		t.Fatalf("answer %v", answers[0])
	}
	if err := servers[0].Of("/").ServerSideEmit("disconnect"); err == nil {
		t.Error("a reserved name was sent")
	}
	alone, _ := listen(t, Options{}, func(*Server) {})
	if err := alone.Of("/").ServerSideEmit("hello"); err == nil {
		t.Error("sent without a cluster")
	}
}

func TestHiddenCredentials(t *testing.T) {
	server, address := listen(t, Options{HideCredentials: true}, func(*Server) {})
	ws, _, err := websocket.DefaultDialer.Dial(address, http.Header{"Authorization": {"secret"}, "Cookie": {"secret"}, "X-Kept": {"yes"}})
	if err != nil {
		t.Fatal(err)
	}
	defer ws.Close()
	for _, packet := range []string{"", `40{"key":"secret"}`} {
		if packet != "" {
			err = ws.WriteMessage(websocket.TextMessage, []byte(packet))
		}
		if _, _, readErr := ws.ReadMessage(); err != nil || readErr != nil { // the open packet, then the answer
			t.Fatal(err, readErr)
		}
	}
	sockets, err := server.Of("/").FetchSockets(t.Context())
	if err != nil || len(sockets) != 1 {
		t.Fatalf("%v, %v", sockets, err)
	}
	if shown := string(sockets[0].Handshake); strings.Contains(shown, "secret") || !strings.Contains(shown, `"x-kept":"yes"`) {
		t.Fatal(shown)
	}
}

// TestForeignEvents gives what other nodes may send, and clients must not.
func TestForeignEvents(t *testing.T) {
	servers, clients, _ := pair(t)
	p := peer{servers[0].Of("/")}
	eleven := make([][]byte, 11)
	for _, v := range []adapter.Value{
		{}, {JSON: []byte(`{}`)}, {JSON: []byte(`[]`)}, {JSON: []byte(`[null]`)}, {JSON: []byte(`["disconnect"]`)},
		{JSON: []byte(`["ev"]`), Attachments: eleven},
	} {
		asked := -1
		if p.Broadcast(adapter.Target{}, adapter.Flags{}, v) == nil || p.ServerSideEvent(v, nil) == nil ||
			p.Ask(t.Context(), adapter.Target{}, adapter.Flags{}, v, func(n int) { asked = n }, nil) == nil || asked != 0 {
			t.Errorf("%s was taken", v.JSON)
		}
	}
	if err := p.Broadcast(adapter.Target{}, adapter.Flags{}, adapter.Value{JSON: []byte(`["good"]`)}); err != nil {
		t.Error(err)
	}
	clients[0].expect(`2["good"]`)
}
