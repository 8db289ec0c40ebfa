package guild

import (
	"context"
	"fmt"
	"io"
	"net/http/httptest"
	"runtime"
	"strings"
	"testing"

	"github.com/gorilla/websocket"

	"github.com/pona-realtime/pona/pkg/engineio"
	"github.com/pona-realtime/pona/pkg/socketio"
	playerv1 "github.com/pona-realtime/pona/proto/pona/player/v1"
	"github.com/pona-realtime/pona/services/edge/edgetest"
)

// TestHandshakesAreShared: users who see the same get the same packet, which is encoded once, and nobody gets
// one of a state that is over.
func TestHandshakesAreShared(t *testing.T) {
	c, _, u := newCache(t, Options{})
	hold(t, c, u, 7, 1)
	const here, there, nowhere = 11, 12, 13
	c.guild(7).state.VoiceChannels = map[uint64][]byte{here: []byte(`"5"`), here + 10: []byte(`"5"`), there: []byte(`"6"`)}
	var all []*socketio.Packet // whoever enters holds it, as a listener's queue does
	enter := func(userID uint64) (packet *socketio.Packet) {
		t.Helper()
		c.Enter(7, userID, func(handshake *socketio.Packet) { packet = handshake })
		all = append(all, packet)
		return packet
	}
	changed := func(by string, change func()) {
		t.Helper()
		before := enter(here)
		if enter(here+10) != before || enter(there) == before || enter(nowhere) == before || enter(nowhere+1) != enter(nowhere) {
			t.Errorf("before %s: who is where decides", by)
		}
		if change(); enter(here) == before {
			t.Errorf("after %s: the handshake of a state that is over", by)
		}
	}
	changed("an event", func() { deliver(c, 7, 2, volume(2)) })
	changed("an event that changes nothing", func() {
		deliver(c, 7, 3, &playerv1.Event{Kind: &playerv1.Event_QueueUpdating{QueueUpdating: &playerv1.QueueUpdating{}}})
	})
	changed("a position", func() { deliver(c, 7, 0, positionAt("5")) })
	changed("a snapshot", func() { snapshot(c, 7, 9, playing(9)) })
	r := newReader(t)
	if n := r.shownVolume(enter(here)); n != 9 {
		t.Errorf("volume %d", n)
	}

	c.guild(7).state.VoiceChannels = map[uint64][]byte{}
	for user := range uint64(3 * mostShown) {
		c.guild(7).state.VoiceChannels[user] = fmt.Appendf(nil, `"%d"`, user)
		enter(user)
	}
	if n := len(c.guild(7).shown); n > mostShown {
		t.Errorf("%d handshakes are known", n)
	}
	runtime.KeepAlive(all)
}

// BenchmarkEnter lets listeners enter a guild with a queue of a hundred tracks, over a compressed WebSocket: one after
// the other into the same state, and into one that a position has changed.
func BenchmarkEnter(b *testing.B) {
	server := socketio.NewServer(socketio.Options{Engine: engineio.Options{Path: "/socket.io/", PerMessageDeflate: &engineio.PerMessageDeflate{}}})
	sockets := make(chan *socketio.Socket, 1)
	server.Of("/").OnConnection(func(s *socketio.Socket) { sockets <- s })
	web := httptest.NewServer(server)
	defer web.Close()
	defer server.Close(context.Background()) //nolint:errcheck // the benchmark is over
	conn, response, err := (&websocket.Dialer{EnableCompression: true}).Dial("ws"+strings.TrimPrefix(web.URL, "http")+"/socket.io/?EIO=4&transport=websocket", nil)
	if err == nil {
		err = conn.WriteMessage(websocket.TextMessage, []byte("40"))
	}
	if err != nil {
		b.Fatal(err, response)
	}
	go func() { _, _ = io.Copy(io.Discard, conn.NetConn()) }() // ends with the server
	socket := <-sockets

	state := edgetest.Playing("1")
	queue := strings.Builder{}
	for track := range 100 {
		fmt.Fprintf(&queue, `,{"title":"Track %d","author":"Somebody","duration":%d,"uniqueId":"%x","lyrics":[`, track, 1000*track, 1e9*track)
		for line := range 40 {
			fmt.Fprintf(&queue, `{"at":%d,"line":"word %x of the night"},`, 2500*line, 7919*line*track)
		}
		queue.WriteString("null]}")
	}
	state.Current, state.Upcoming = []byte(`{"title":"Now"}`), []byte("["+queue.String()[1:]+"]")
	for _, changes := range []bool{false, true} {
		b.Run(fmt.Sprint("changed=", changes), func(b *testing.B) {
			g := newGuild(7)
			g.state, g.known = state, true
			c := NewCache(&audience{}, Options{})
			defer c.Close()
			c.guilds[7] = g
			b.ReportAllocs()
			for b.Loop() {
				if changes {
					deliver(c, 7, 0, positionAt("5"))
				}
				c.Enter(7, 1, func(handshake *socketio.Packet) { socket.Send(handshake) })
			}
		})
	}
}
