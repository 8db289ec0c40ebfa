package socketio

import (
	"slices"
	"strings"
	"testing"

	"github.com/gorilla/websocket"
)

// TestUpgradesAreObserved tells of each socket of a connection that moves, before what comes by the WebSocket.
func TestUpgradesAreObserved(t *testing.T) {
	seen := make(chan string, 16)
	_, address := listen(t, Options{}, func(s *Server) {
		s.OnUpgrade(func(socket *Socket) {
			seen <- socket.Namespace().Name() + " " + socket.ID() + " " + socket.Transport()
		})
		s.OnUpgrade(func(*Socket) { panic("is the observer's own affair") })
		s.Of("/other").OnConnection(func(socket *Socket) {
			socket.On("hello", func(*Event) { seen <- "hello" })
		})
		s.Of("/late")
		s.Of("/closed").Use(func(*Socket) error { return &ConnectError{Message: "no"} })
	})
	enter(t, address, "") // never was on polling
	overPolling := dialPolling(t, address).(*polling)
	t.Cleanup(overPolling.http.CloseIdleConnections)
	c := &client{t, overPolling}
	root, other := c.connect(""), c.connect("/other,")
	c.send("0/closed,")
	c.expect(`4/closed,{"message":"no"}`)

	target := strings.Replace(strings.Replace(overPolling.url, "http", "ws", 1), "transport=polling", "transport=websocket", 1)
	ws, _, err := websocket.DefaultDialer.Dial(target, nil)
	if err != nil {
		t.Fatal(err)
	}
	c = newClient(t, webSocket{ws})
	for _, packet := range []string{"5", `42/other,["hello"]`} {
		if err := ws.WriteMessage(websocket.TextMessage, []byte(packet)); err != nil {
			t.Fatal(err)
		}
	}
	got := []string{await(t, seen), await(t, seen)}
	slices.Sort(got)
	if want := []string{"/ " + root + " websocket", "/other " + other + " websocket"}; !slices.Equal(got, want) {
		t.Errorf("heard of %q, want %q", got, want)
	}
	if got := await(t, seen); got != "hello" {
		t.Errorf("then %q", got)
	}
	c.connect("/late,") // joins over the WebSocket
	select {
	case got := <-seen:
		t.Errorf("heard of %q", got)
	default:
	}
}
