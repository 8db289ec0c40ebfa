package edgetest

import (
	"sync"
	"testing"

	"github.com/gorilla/websocket"
)

// DialWebSocket opens a session over WebSocket at host:port; it ends with the test.
func DialWebSocket(t testing.TB, address string, with ...func(*options)) *Client {
	t.Helper()
	o := optionsOf(with)
	conn, response, err := websocket.DefaultDialer.Dial("ws://"+address+"/socket.io/?EIO=4&transport=websocket", o.header)
	if err != nil {
		t.Fatalf("%v, %v", err, response)
	}
	var writing sync.Mutex
	write := func(packet string) error {
		writing.Lock()
		defer writing.Unlock()
		return conn.WriteMessage(websocket.TextMessage, []byte(packet))
	}
	c := newClient(t, o)
	c.write = func(message string) error { return write("4" + message) }
	_, open, err := conn.ReadMessage()
	if err == nil {
		err = c.receive(string(open), nil)
	}
	if err != nil {
		t.Fatal(err)
	}
	go func() {
		defer close(c.closed)
		defer close(c.packets)
		for {
			_, packet, err := conn.ReadMessage()
			if err != nil {
				return
			}
			if c.receive(string(packet), func() error { return write("3") }) != nil {
				return
			}
		}
	}()
	t.Cleanup(func() {
		_ = conn.Close()
		<-c.closed
	})
	return c
}
