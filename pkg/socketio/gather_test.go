package socketio

import (
	"fmt"
	"sync"
	"testing"
)

// crowd joins n clients to "/", and is done when all are there.
func crowd(t *testing.T, n int) (*Server, []*client, []*Socket) {
	t.Helper()
	server, address, sockets := accepted(t)
	clients, joined := make([]*client, n), make([]*Socket, n)
	for i := range n {
		clients[i] = enter(t, address, "")
		joined[i] = await(t, sockets)
	}
	return server, clients, joined
}

// Events to a room that is written to by flushers, and packets sent directly in between, arrive in the
// order of the calls.
func TestOrderInALargeRoom(t *testing.T) {
	server, clients, sockets := crowd(t, fewSockets+8)
	root := server.Of("/")
	const rounds = 30
	for i := range rounds {
		_ = root.Emit("all", i)
		_ = root.Emit("all again", i)
		_ = sockets[0].Emit("one", i)
		_ = root.To(sockets[1].ID()).Emit("one", i)
		_ = root.Except(sockets[0].ID()).Emit("others", i)
		_ = root.Volatile().To(sockets[2].ID()).Emit("volatile", i)
	}
	for k, c := range clients {
		for i := range rounds {
			c.expect(fmt.Sprintf(`2["all",%d]`, i), fmt.Sprintf(`2["all again",%d]`, i))
			if k < 2 {
				c.expect(fmt.Sprintf(`2["one",%d]`, i))
			}
			if k > 0 {
				c.expect(fmt.Sprintf(`2["others",%d]`, i))
			}
			if k == 2 {
				c.expect(fmt.Sprintf(`2["volatile",%d]`, i))
			}
		}
	}
}

func TestLargeRoomReachesThoseAtCallTime(t *testing.T) {
	server, clients, sockets := crowd(t, fewSockets+8)
	root := server.Of("/")
	last := len(clients) - 1
	for _, s := range sockets[:last] {
		s.Join("r")
	}
	_ = root.To("r").Emit("x", 1)
	sockets[0].Leave("r")
	sockets[last].Join("r")
	_ = root.To("r").Emit("x", 2)
	sockets[1].Disconnect(false)
	_ = root.Emit("end")
	for i, c := range clients {
		if i != last {
			c.expect(`2["x",1]`)
		}
		if i != 0 {
			c.expect(`2["x",2]`)
		}
		if i == 1 {
			c.expect("1")
			continue
		}
		c.expect(`2["end"]`)
	}
}

// Each emitter's events keep their order; none is lost or doubled.
func TestManyEmitters(t *testing.T) {
	server, clients, _ := crowd(t, fewSockets+8)
	const emitters, events = 4, 50
	var wg sync.WaitGroup
	for e := range emitters {
		wg.Go(func() {
			for i := range events {
				_ = server.Of("/").Emit(fmt.Sprint(e), i)
			}
		})
	}
	for _, c := range clients {
		var next [emitters]int
		for range emitters * events {
			var e, i int
			text := c.receive()
			if _, err := fmt.Sscanf(text, `2["%d",%d]`, &e, &i); err != nil || next[e] != i {
				t.Fatalf("%s comes where %v are next: %v", text, next, err)
			}
			next[e]++
		}
	}
	wg.Wait()
}
