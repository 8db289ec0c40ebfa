package app

import (
	"fmt"
	"net"
	"strings"
	"testing"

	"github.com/gorilla/websocket"

	"github.com/pona-realtime/pona/pkg/engineio"
	playerv1 "github.com/pona-realtime/pona/proto/pona/player/v1"
	"github.com/pona-realtime/pona/services/edge/edgetest"
)

// TestAClientThatStopsReadingHarmsNobody has one client stop reading in the midst of a guild's events: the
// others get every one in order, and it is cut at its bound, counted, and starts again from a snapshot.
func TestAClientThatStopsReadingHarmsNobody(t *testing.T) {
	s := local(t)
	s.MaxQueue, s.RecoveryGuildBytes = 1<<20, 256<<10
	_, p := withFanout(t, &s)
	a := started(t, s)
	p.Publish(100, edgetest.Channel("5"))
	slow, offset, pid := stalled(t, a)
	defer slow.Close() //nolint:errcheck // it has been cut
	witness, _ := listen(t, a)

	large := `{"title":"` + strings.Repeat("x", 50_000) + `"}`
	published := 0
	for ; a.server.Len() == 2 && published < 2000; published++ {
		p.Publish(100, &playerv1.Event{Kind: &playerv1.Event_TrackUpdated{TrackUpdated: &playerv1.TrackUpdated{Track: []byte(large)}}})
		p.Publish(100, edgetest.Volume(fmt.Sprint(published)))
		if name, args := witness.Event(guild100); name != "track_updated" || edgetest.Decode(t, args[0]) != large {
			t.Fatalf("the other client got %s", name)
		}
		wantVolumes(t, witness, published, published)
	}
	if cut := a.server.Stats().Engine.Closed[engineio.ReasonSlowConsumer]; cut != 1 {
		t.Fatalf("%d clients were cut after %d large events", cut, published)
	}

	back := edgetest.DialWebSocket(t, a.Addr())
	back.Connect(guild100, fmt.Sprintf(`{"pid":%q,"offset":%q,`, pid, offset)+as(1)[1:])
	back.Joined(guild100)
	if shown := back.Handshake(guild100); !strings.Contains(shown, fmt.Sprintf(`"volume":%d,`, published-1)) {
		t.Error("the handshake does not show the newest state")
	}
}

// stalled is a client in guild 100 that has read its handshake, with that offset, and nothing since.
func stalled(t *testing.T, a *App) (conn *websocket.Conn, offset, pid string) {
	t.Helper()
	dialer := websocket.Dialer{NetDial: func(network, address string) (net.Conn, error) {
		conn, err := net.Dial(network, address)
		if err == nil {
			err = conn.(*net.TCPConn).SetReadBuffer(4 << 10)
		}
		return conn, err
	}}
	conn, _, err := dialer.Dial("ws://"+a.Addr()+"/socket.io/?EIO=4&transport=websocket", nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := conn.WriteMessage(websocket.TextMessage, []byte("40"+guild100+","+as(1))); err != nil {
		t.Fatal(err)
	}
	for offset == "" {
		_, text, err := conn.ReadMessage()
		if err != nil {
			t.Fatal(err)
		}
		if _, after, ok := strings.Cut(string(text), `"pid":"`); ok {
			pid, _, _ = strings.Cut(after, `"`)
		}
		if at := strings.LastIndex(string(text), `,"`); strings.Contains(string(text), `["handshake"`) {
			offset = strings.TrimSuffix(string(text)[at+2:], `"]`)
		}
	}
	return conn, offset, pid
}
