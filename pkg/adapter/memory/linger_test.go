package memory

import (
	"testing"
	"time"

	"github.com/pona-realtime/pona/pkg/adapter"
	"github.com/pona-realtime/pona/pkg/adapter/adaptertest"
)

// TestARoomWithoutName lets a room whose name is empty come and go, which Socket.IO allows: it is a room, not the namespace.
func TestARoomWithoutName(t *testing.T) {
	bus := &Bus{}
	defer bus.Wait()
	here, there := adapter.NewNode(bus, adapter.Options{}), adapter.NewNode(bus, adapter.Options{Linger: 10 * time.Millisecond})
	defer here.Close()
	defer there.Close()
	asker := here.Join("/", adaptertest.NewLocal())
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for range 3 {
		c := there.Join("/", adaptertest.NewLocal())
		c.RoomCreated("")
		c.RoomDeleted("")
		c.Leave()
		for deadline := time.Now().Add(20 * time.Second); ; <-tick.C { // the memory bus tells nobody
			if n, err := asker.Servers(t.Context()); n == 0 && err == nil {
				break
			}
			if time.Now().After(deadline) {
				t.Fatal("does not leave")
			}
		}
	}
}
