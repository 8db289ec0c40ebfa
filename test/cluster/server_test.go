package cluster

import (
	"bufio"
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http/httptest"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/pona-realtime/pona/pkg/adapter"
	"github.com/pona-realtime/pona/pkg/adapter/redisbus"
	"github.com/pona-realtime/pona/pkg/socketio"
)

const key = "pona:socket.io"

// command is one operation; see node/server.js.
type command struct {
	ID      int      `json:"id"`
	Op      string   `json:"op"`
	NSP     string   `json:"nsp,omitempty"`
	Rooms   []string `json:"rooms,omitempty"`
	Except  []string `json:"except,omitempty"`
	Numeric bool     `json:"numeric,omitempty"` // Node is told rooms and exceptions by numbers
	Flags   flags    `json:"flags"`
	Args    []any    `json:"args"`
	Emitter bool     `json:"emitter,omitempty"`
}

type flags struct {
	Volatile     bool `json:"volatile,omitempty"`
	Uncompressed bool `json:"uncompressed,omitempty"`
	Local        bool `json:"local,omitempty"`
	Timeout      int  `json:"timeout,omitempty"` // ms
}

// answer is what came of it, as JSON decodes it.
type answer struct {
	ID     int    `json:"id"`
	Result any    `json:"result"`
	Error  string `json:"error"`
}

// server is one of ours, one of Node's, or the emitter of one of Node's.
type server interface {
	do(t *testing.T, c command) answer
}

// binary is bytes in a command.
func binary(b ...byte) any {
	return map[string]any{"$bytes": base64.StdEncoding.EncodeToString(b)}
}

// goServer is one of ours, in this process.
type goServer struct {
	address string
	bus     *redisbus.Bus
	node    *adapter.Node
	io      *socketio.Server

	mu    sync.Mutex
	heard []any
}

func startGo(t *testing.T, client redis.UniversalClient, mode string, timeout time.Duration) *goServer {
	t.Helper()
	opts := redisbus.Options{Key: key, Mode: redisbus.Mode(mode)}
	if mode == "specific" {
		opts.Mode, opts.SpecificResponses = redisbus.Classic, true
	}
	bus, err := redisbus.New(client, opts)
	if err != nil {
		t.Fatal(err)
	}
	g := &goServer{bus: bus, node: adapter.NewNode(bus, adapter.Options{RequestTimeout: timeout, Linger: time.Second})}
	g.io = socketio.NewServer(socketio.Options{Cluster: g.node})
	for _, name := range []string{"/", "/custom"} {
		nsp := g.io.Of(name)
		nsp.OnConnection(func(s *socketio.Socket) {
			if name == "/" {
				s.SetData(map[string]any{"server": "go"})
				s.Join("everybody")
			}
		})
		nsp.OnServerSideEmit("sse", func(e *socketio.ServerSideEvent) { _ = e.Ack("go") }) // what bin/conformance-server answers, too
		nsp.OnServerSideEmit("hello", func(e *socketio.ServerSideEvent) {
			g.mu.Lock()
			g.heard = append(g.heard, plain(e.Args))
			g.mu.Unlock()
			if len(e.Args) > 0 && string(e.Args[0].JSON()) == `"bytes"` {
				_ = e.Ack([]byte{4, 5})
			}
			_ = e.Ack("go") // if nothing else was said
		})
	}
	web := httptest.NewServer(g.io)
	g.address = web.Listener.Addr().String()
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		if err := g.io.Close(ctx); err != nil {
			t.Error(err)
		}
		web.Close()
		g.node.Close()
		bus.Close()
	})
	return g
}

// plain is arguments as JSON decodes them.
func plain(args socketio.Args) any {
	list := make([]any, len(args))
	for i, a := range args {
		if b, ok := a.Bytes(); ok {
			list[i] = binary(b...)
		} else {
			_ = a.Decode(&list[i]) // is JSON
		}
	}
	return list
}

// revive turns bytes of a command into bytes.
func revive(v any) any {
	switch v := v.(type) {
	case map[string]any:
		if text, ok := v["$bytes"].(string); ok {
			b, _ := base64.StdEncoding.DecodeString(text)
			return b
		}
		out := map[string]any{}
		for k, x := range v {
			out[k] = revive(x)
		}
		return out
	case []any:
		out := make([]any, len(v))
		for i, x := range v {
			out[i] = revive(x)
		}
		return out
	}
	return v
}

func texts(list []any) []string {
	out := make([]string, len(list))
	for i, v := range list {
		out[i] = v.(string)
	}
	return out
}

func (g *goServer) do(t *testing.T, c command) answer {
	t.Helper()
	nsp := g.io.Of(c.NSP)
	to := nsp.In(c.Rooms...).Except(c.Except...).Timeout(time.Duration(c.Flags.Timeout) * time.Millisecond)
	if c.Flags.Volatile {
		to = to.Volatile()
	}
	if c.Flags.Uncompressed {
		to = to.Compress(false)
	}
	if c.Flags.Local {
		to = to.Local()
	}
	var args []any
	if c.Args != nil {
		args = revive(c.Args).([]any)
	}
	var result any
	var err error
	switch c.Op {
	case "emit":
		err = to.Emit(args[0].(string), args[1:]...)
	case "emitWithAck":
		var answers []socketio.Args
		answers, err = to.EmitWithAck(t.Context(), args[0].(string), args[1:]...)
		list := []any{}
		for _, a := range answers {
			list = append(list, plain(a).([]any)[0])
		}
		result = list
	case "socketsJoin":
		err = to.SocketsJoin(texts(args)...)
	case "socketsLeave":
		err = to.SocketsLeave(texts(args)...)
	case "disconnectSockets":
		err = to.DisconnectSockets(args[0].(bool))
	case "fetchSockets":
		var sockets []socketio.RemoteSocket
		sockets, err = to.FetchSockets(t.Context())
		list := []any{}
		for _, s := range sockets {
			var data any
			_ = json.Unmarshal(s.Data, &data)
			var handshake map[string]any
			_ = json.Unmarshal(s.Handshake, &handshake)
			slices.Sort(s.Rooms)
			list = append(list, map[string]any{"id": s.ID, "rooms": s.Rooms, "data": data, "auth": handshake["auth"], "handshake": slices.Sorted(maps.Keys(handshake))})
		}
		result = list
	case "serverSideEmit":
		err = nsp.ServerSideEmit(args[0].(string), args[1:]...)
	case "serverSideEmitWithAck":
		var answers socketio.Args
		answers, err = nsp.ServerSideEmitWithAck(t.Context(), args[0].(string), args[1:]...)
		result = plain(answers)
	case "allRooms":
		var rooms []string
		rooms, err = nsp.AllRooms(t.Context())
		slices.Sort(rooms)
		result = rooms
	case "serverCount":
		result, err = nsp.ServerCount(t.Context())
	case "heard":
		g.mu.Lock()
		result, g.heard = g.heard, nil
		g.mu.Unlock()
	default:
		t.Fatal(c.Op)
	}
	a := answer{}
	if err != nil {
		a.Error = err.Error()
	}
	text, err := json.Marshal(result)
	if err == nil {
		err = json.Unmarshal(text, &a.Result) // as Node's come
	}
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// nodeServer is one of Node's.
type nodeServer struct {
	address string
	cmd     *exec.Cmd
	stdin   io.Writer
	answers chan answer
	mu      sync.Mutex
	id      int
}

// startNode runs one; see node/server.js for redisURL and further variables.
func startNode(t *testing.T, redisURL, mode string, timeout time.Duration, variables ...string) *nodeServer {
	t.Helper()
	if _, err := os.Stat("node/node_modules"); err != nil {
		t.Fatalf("%v; make installs it", err)
	}
	cmd := exec.Command("node", "server.js")
	cmd.Dir = "node"
	cmd.Env = append(append(os.Environ(), "REDIS="+redisURL, "KEY="+key, "MODE="+mode, fmt.Sprintf("TIMEOUT=%d", timeout.Milliseconds())), variables...)
	cmd.Stderr = os.Stderr
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	n := &nodeServer{cmd: cmd, stdin: stdin, answers: make(chan answer, 16)}
	lines := bufio.NewReaderSize(stdout, 1<<20)
	t.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGCONT)
		_ = cmd.Process.Kill()
		for range n.answers { // until its output ends
		}
		_ = cmd.Wait() // was killed
	})
	first, err := lines.ReadBytes('\n')
	var started struct{ Port int }
	if err == nil {
		err = json.Unmarshal(first, &started)
	}
	go func() {
		defer close(n.answers)
		for {
			line, err := lines.ReadBytes('\n')
			var a answer
			if err != nil || json.Unmarshal(line, &a) != nil {
				return
			}
			n.answers <- a
		}
	}()
	if err != nil {
		t.Fatalf("%s: %v", first, err)
	}
	n.address = net.JoinHostPort("127.0.0.1", fmt.Sprint(started.Port))
	return n
}

func (n *nodeServer) do(t *testing.T, c command) answer {
	t.Helper()
	n.mu.Lock()
	defer n.mu.Unlock()
	n.id++
	c.ID = n.id
	line, err := json.Marshal(c)
	if err == nil {
		_, err = n.stdin.Write(append(line, '\n'))
	}
	if err != nil {
		t.Fatal(err)
	}
	for timeout := time.After(patience); ; {
		select {
		case a, ok := <-n.answers:
			if !ok {
				t.Fatal("node has ended")
			}
			if a.ID == c.ID {
				return a
			}
		case <-timeout:
			t.Fatalf("node does not answer %s", line)
		}
	}
}

// emitter is npm @socket.io/redis-emitter, in one of Node's servers.
type emitter struct{ *nodeServer }

func (e emitter) do(t *testing.T, c command) answer {
	c.Emitter = true
	return e.nodeServer.do(t, c)
}

// eventually repeats what tells nothing by itself, until it returns no error.
func eventually(t *testing.T, try func() error) {
	t.Helper()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(patience); ; <-tick.C {
		err := try()
		if err == nil {
			return
		}
		if time.Now().After(deadline) {
			t.Fatal(err)
		}
	}
}

func isTimeout(a answer) bool {
	return strings.Contains(a.Error, "timed out") || strings.Contains(a.Error, "timeout") || strings.Contains(a.Error, "deadline")
}
