package app

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/websocket"

	"github.com/pona-realtime/pona/services/edge/edgetest"
)

func TestAnEdgeThatStopsMovesItsClients(t *testing.T) {
	t.Parallel() // it mostly waits
	s := local(t)
	_, p := withFanout(t, &s)
	s.Drain = 3 * time.Second
	leaving, err := New(s, quiet)
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- leaving.Run(ctx) }()
	await(t, leaving.Ready())
	other := started(t, s)
	publishVolumes(p, 1, 1)
	var clients []*edgetest.Client
	for range 10 {
		ws := edgetest.DialWebSocket(t, leaving.Addr())
		for _, c := range []*edgetest.Client{ws, edgetest.DialPolling(t, []string{leaving.Addr()})} {
			c.Connect(guild100, as(1))
			c.Joined(guild100)
			c.Handshake(guild100)
			clients = append(clients, c)
		}
	}
	stop()
	publishVolumes(p, 2, 50) // some come before a client's end, the others after its return
	for i, c := range clients {
		await(t, c.Closed())
		last := 1
		for p := range c.Rest() {
			last++
			if got := string(p.Data); got != fmt.Sprintf(`["volume_updated",%d]`, last) {
				t.Fatalf("client %d got %s, not %d", i, got, last)
			}
		}
		back := edgetest.DialWebSocket(t, other.Addr())
		back.ConnectAgain(c, guild100, as(1))
		wantVolumes(t, back, last+1, 50)
		if back.Joined(guild100); !back.Recovered() {
			t.Error("not recovered")
		}
	}
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

// TestAnEdgeThatStopsLetsGoOfOthersClients: those whose upgrade came to it are with it until they connect again.
func TestAnEdgeThatStopsLetsGoOfOthersClients(t *testing.T) {
	s := local(t)
	withFanout(t, &s)
	s.DrainDelay, s.Drain = 0, 10*time.Second
	owner, other := started(t, s), started(t, s)
	for range 3 {
		_, opened := get(t, "http://"+owner.Addr()+"/socket.io/?EIO=4&transport=polling")
		_, rest, _ := strings.Cut(opened, `"sid":"`)
		sid, _, _ := strings.Cut(rest, `"`)
		conn, response, err := websocket.DefaultDialer.Dial("ws://"+other.Addr()+"/socket.io/?EIO=4&transport=websocket&sid="+sid, nil)
		if err != nil {
			t.Fatal(err, response)
		}
		defer conn.Close() //nolint:errcheck // a test's
		_ = conn.SetReadDeadline(time.Now().Add(10 * time.Second))
		for _, packet := range []string{"2probe", "5"} {
			if err := conn.WriteMessage(websocket.TextMessage, []byte(packet)); err != nil {
				t.Fatal(err)
			}
		}
		if _, answer, err := conn.ReadMessage(); err != nil || string(answer) != "3probe" {
			t.Fatalf("%q, %v", answer, err)
		}
		defer func() {
			var err error
			for err == nil { // there may be a ping
				_, _, err = conn.ReadMessage()
			}
			if errors.Is(err, os.ErrDeadlineExceeded) {
				t.Error("the client was not told")
			}
		}()
	}
	if n := other.relay.Len(); n != 3 {
		t.Fatalf("%d WebSockets are carried", n)
	}
	if err := other.drain(t.Context()); err != nil {
		t.Error(err)
	}
	for deadline := time.Now().Add(10 * time.Second); other.relay.Len() > 0; <-time.After(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%d WebSockets are still carried", other.relay.Len())
		}
	}
}

func TestRebalance(t *testing.T) {
	s := local(t)
	withFanout(t, &s)
	a := started(t, s)
	clients := make([]*edgetest.Client, 20)
	for i := range clients {
		clients[i] = edgetest.DialWebSocket(t, a.Addr())
		clients[i].Connect(guild100, as(1))
		clients[i].Joined(guild100)
	}
	post := func(query string, want int) {
		t.Helper()
		r, err := http.Post("http://"+a.AdminAddr()+"/admin/rebalance?"+query, "", nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Body.Close() //nolint:errcheck // only the code is read
		if r.StatusCode != want {
			t.Errorf("%s: %d, want %d", query, r.StatusCode, want)
		}
	}
	for _, query := range []string{"", "fraction=0", "fraction=1.5", "fraction=NaN", "fraction=0.5&over=-1s", "fraction=0.5&over=5"} {
		post(query, http.StatusBadRequest)
	}
	moved := make(chan struct{}, len(clients))
	for _, c := range clients {
		go func() { <-c.Closed(); moved <- struct{}{} }()
	}
	post("fraction=0.25&over=100ms", http.StatusAccepted)
	for range 5 {
		await(t, moved)
	}
	edgetest.DialWebSocket(t, a.Addr()) // is accepted
	if left := a.server.Len(); left != 16 {
		t.Errorf("%d sessions are left", left)
	}
}

func TestAnEdgeFarAboveTheMeanMovesClients(t *testing.T) {
	s := local(t)
	withFanout(t, &s)
	s.Redis = edgetest.StartRedis(t)
	s.Rebalance, s.RebalanceInterval = 0.2, 100*time.Millisecond
	crowded, empty := started(t, s), started(t, s)
	moved := make(chan struct{}, 100)
	for range 50 {
		c := edgetest.DialWebSocket(t, crowded.Addr())
		go func() { <-c.Closed(); moved <- struct{}{} }()
	}
	await(t, moved)
	if empty.server.Len() != 0 || crowded.server.Len() < 20 {
		t.Errorf("%d and %d sessions", crowded.server.Len(), empty.server.Len())
	}
}
