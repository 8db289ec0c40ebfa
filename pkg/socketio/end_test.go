package socketio

import (
	"strings"
	"sync"
	"testing"
)

// A client that has been disconnected may join anew at once: what its former socket is still sent by
// others must not reach it any more.
func TestNothingFollowsDisconnect(t *testing.T) {
	server, address, sockets := accepted(t)
	for range 30 {
		c := enter(t, address, "")
		s := await(t, sockets)
		var emitters sync.WaitGroup
		emitters.Go(func() {
			for s.Connected() {
				_ = s.Emit("to the socket")
				_ = server.Of("/").Emit("to all")
			}
		})
		s.Disconnect(false)
		for c.receive() != "1" {
		}
		c.send("0")
		if next := c.receive(); !strings.HasPrefix(next, `0{"sid":"`) {
			t.Errorf("%s after the disconnect", next)
		}
		emitters.Wait()
		await(t, sockets).Disconnect(true)
	}
}
