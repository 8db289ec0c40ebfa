package guild

import (
	"context"
	"encoding/json"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/pona-realtime/pona/pkg/engineio"
	"github.com/pona-realtime/pona/pkg/socketio"
	"github.com/pona-realtime/pona/services/edge/edgetest"
)

// reader reads packets as a client does: it has them sent over a real connection.
type reader struct {
	t      *testing.T
	client *edgetest.Client
	socket *socketio.Socket
}

func newReader(t *testing.T) *reader {
	t.Helper()
	server := socketio.NewServer(socketio.Options{Engine: engineio.Options{Path: "/socket.io/"}})
	sockets := make(chan *socketio.Socket, 1)
	server.Of("/").OnConnection(func(s *socketio.Socket) { sockets <- s })
	web := httptest.NewServer(server)
	t.Cleanup(func() {
		if err := server.Close(context.Background()); err != nil {
			t.Error(err)
		}
		web.Close()
	})
	r := &reader{t: t, client: edgetest.DialWebSocket(t, strings.TrimPrefix(web.URL, "http://"))}
	r.client.Connect("/", "")
	r.client.Joined("/")
	r.socket = <-sockets
	return r
}

// read gives a packet's event and its first argument as JSON, without base64; "" for none.
func (r *reader) read(p *socketio.Packet) (event, argument string) {
	r.t.Helper()
	r.socket.Send(p)
	event, args := r.client.Event("/")
	if len(args) == 0 {
		return event, ""
	}
	var text string
	if json.Unmarshal(args[0], &text) != nil {
		return event, string(args[0])
	}
	return event, edgetest.Decode(r.t, args[0])
}

// shownVolume is the volume that a handshake shows.
func (r *reader) shownVolume(p *socketio.Packet) (n uint64) {
	r.t.Helper()
	event, argument := r.read(p)
	var shown struct {
		Pona struct {
			Pona struct{ Volume uint64 }
		}
	}
	if err := json.Unmarshal([]byte(argument), &shown); event != "handshake" || err != nil {
		r.t.Fatalf("%s %s: %v", event, argument, err)
	}
	return shown.Pona.Pona.Volume
}
