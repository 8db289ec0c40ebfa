package clients

import (
	"bufio"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/pona-realtime/pona/pkg/engineio"
	"github.com/pona-realtime/pona/pkg/socketio"
)

// node is one server of two behind a balancer. Its sessions' ids begin with its letter.
type node struct {
	*socketio.Server
	web *httptest.Server
}

func startNode(t *testing.T, letter string) *node {
	t.Helper()
	n := &node{Server: socketio.NewServer(socketio.Options{Engine: engineio.Options{
		GenerateID: func(*http.Request) (string, error) { return letter + engineio.NewID()[1:], nil },
	}})}
	n.web = httptest.NewServer(n)
	t.Cleanup(func() {
		if err := n.Close(context.Background()); err != nil {
			t.Error(err)
		}
		n.web.Close()
	})
	return n
}

// balance serves both nodes at one address: what has a session goes to its node, the rest to the one
// that comes next.
func balance(t *testing.T, a, b *node, both *atomic.Bool) string {
	t.Helper()
	var proxies []http.Handler
	for _, n := range []*node{a, b} {
		target, err := url.Parse(n.web.URL)
		if err != nil {
			t.Fatal(err)
		}
		p := httputil.NewSingleHostReverseProxy(target)
		p.ErrorHandler = func(w http.ResponseWriter, _ *http.Request, _ error) { w.WriteHeader(http.StatusBadGateway) }
		proxies = append(proxies, p)
	}
	var turn atomic.Int64
	balancer := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		to := 0
		switch sid := r.URL.Query().Get("sid"); {
		case strings.HasPrefix(sid, "B"), sid == "" && both.Load() && turn.Add(1)%2 == 0:
			to = 1
		}
		proxies[to].ServeHTTP(w, r)
	}))
	t.Cleanup(balancer.Close)
	return balancer.URL
}

// seen is what a client of drained.js says.
type seen struct {
	Client       int
	What, Detail string
}

func startDrained(t *testing.T, clients []map[string]any) <-chan seen {
	t.Helper()
	arg, err := json.Marshal(clients)
	if err != nil {
		t.Fatal(err)
	}
	js := exec.Command("node", "drained.js", string(arg))
	js.Dir, js.Stderr = "js", os.Stderr
	stdin, err := js.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := js.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := js.Start(); err != nil {
		t.Fatal(err)
	}
	lines := make(chan seen, 1000)
	read := make(chan struct{})
	go func() {
		defer close(read)
		for s := bufio.NewScanner(stdout); s.Scan(); {
			var line seen
			if json.Unmarshal(s.Bytes(), &line) == nil {
				lines <- line
			}
		}
	}()
	t.Cleanup(func() {
		_ = stdin.Close()
		<-read
		if err := js.Wait(); err != nil && err != io.EOF {
			t.Errorf("drained.js ended with %v", err)
		}
	})
	return lines
}

// A server that is drained loses its clients to the other, by their own doing: nobody is told to stay away.
func TestDrain(t *testing.T) {
	a, b := startNode(t, "A"), startNode(t, "B")
	var both atomic.Bool
	address := balance(t, a, b, &both)
	var clients []map[string]any
	for _, transports := range [][]string{{"polling"}, {"websocket"}, {"polling", "websocket"}} {
		for _, packed := range []bool{false, true} {
			clients = append(clients, map[string]any{"url": address, "transports": transports, "packed": packed})
		}
	}
	lines := startDrained(t, clients)
	history := map[seen]int{}
	// each waits until every client has said that so often.
	each := func(what, detail string, times int) {
		t.Helper()
		for late := time.After(time.Minute); ; {
			done := 0
			for i := range clients {
				if history[seen{i, what, detail}] >= times {
					done++
				}
			}
			if done == len(clients) {
				return
			}
			select {
			case line := <-lines:
				if line.What == "connect" {
					line.Detail = "" // by whichever transport
				}
				history[line]++
			case <-late:
				t.Fatalf("%s %s: %d of %d clients: %v", what, detail, done, len(clients), history)
			}
		}
	}
	each("connect", "", 1)
	if a.Len() != len(clients) || b.Len() != 0 {
		t.Fatalf("%d and %d clients", a.Len(), b.Len())
	}

	both.Store(true)
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	type outcome struct {
		moved int
		err   error
	}
	drained := make(chan outcome, 1)
	go func() {
		moved, err := a.Drain(ctx, engineio.DrainOptions{Rate: 20})
		drained <- outcome{moved, err}
	}()
	each("disconnect", "transport close", 1)
	each("connect", "", 2)
	if o := <-drained; o.err != nil || o.moved != len(clients) {
		t.Errorf("moved %d: %v", o.moved, o.err)
	}
	if a.Len() != 0 || b.Len() != len(clients) {
		t.Errorf("%d and %d clients", a.Len(), b.Len())
	}
	if err := b.Of("/").Emit("news", "after the move"); err != nil {
		t.Fatal(err)
	}
	each("event", "after the move", 1)
}
