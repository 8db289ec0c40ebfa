package cluster

import (
	"errors"
	"fmt"
	"testing"

	"github.com/redis/go-redis/v9"

	"github.com/pona-realtime/pona/pkg/adapter/redistest"
	roomsv1 "github.com/pona-realtime/pona/proto/pona/rooms/v1"
	edge "github.com/pona-realtime/pona/services/edge/app"
	"github.com/pona-realtime/pona/services/edge/edgetest"
	fanout "github.com/pona-realtime/pona/services/fanout/app"
	"github.com/pona-realtime/pona/services/fanout/fanouttest"
)

// A listener that comes back is in the rooms that a bot has let it join: on another edge that has heard nothing of
// it, after the graceful end of one, and when Redis has been away meanwhile. What it has left by itself is forgotten.
func TestRoomsAreKept(t *testing.T) {
	server := redistest.Start(t)
	url, discord := "redis://"+server.Addr(), edgetest.StartDiscord(t)
	kept := redis.NewClient(&redis.Options{Addr: server.Addr()})
	t.Cleanup(func() { _ = kept.Close() })
	at, _ := startFanout(t, fanouttest.StartNATS(t).URL(), "127.0.0.1:0", func(f *fanout.Settings) { f.Redis = url })
	rooms := roomsv1.NewRoomsServiceClient(fanouttest.Dial(t, at))
	onRedis := func(s *edge.Settings) { s.Redis = url }
	first, _ := startEdge(t, at, discord, onRedis)
	second, stopSecond := startEdge(t, at, discord, onRedis)

	list := func(socket, want string) {
		t.Helper()
		eventually(t, func() error {
			got, err := kept.Get(t.Context(), "pona:rooms:"+socket).Result()
			if errors.Is(err, redis.Nil) {
				got, err = "", nil
			}
			if err != nil || got != want {
				return fmt.Errorf("kept: %q, %w", got, err)
			}
			return nil
		})
	}
	heard := func(where string, c *edgetest.Client, room string, want bool) {
		t.Helper()
		for _, e := range []*roomsv1.EmitRequest{{GuildId: guild, Room: room, Event: "called", Args: []byte("[1]")}, {GuildId: guild, Event: "end", Args: []byte("[1]")}} {
			if _, err := rooms.Emit(t.Context(), e); err != nil {
				t.Fatal(err)
			}
		}
		before := []string{`["called",1]`}
		if !want {
			before = nil
		}
		expect(t, "in "+room, where, c, `["end",1]`, before)
	}
	auth := `{"type":"Bearer","key":"user1"}`
	// back returns when the edge's channels are open too.
	back := func(earlier *edgetest.Client, address string, servers uint32) *edgetest.Client {
		t.Helper()
		c := edgetest.DialWebSocket(t, address)
		c.ConnectAgain(earlier, namespace, auth)
		c.Joined(namespace)
		if !c.Recovered() {
			t.Fatal("not recovered")
		}
		eventually(t, func() error {
			count, err := rooms.Count(t.Context(), &roomsv1.CountRequest{GuildId: guild})
			if err != nil || count.GetReach().GetAnswered() != servers {
				return fmt.Errorf("%v, %w", count, err)
			}
			return nil
		})
		return c
	}

	c := edgetest.DialWebSocket(t, first)
	c.Connect(namespace, auth)
	socket := c.Joined(namespace)
	c.Handshake(namespace)
	counted(t, rooms, 1, 1)
	if _, err := rooms.Join(t.Context(), &roomsv1.JoinRequest{GuildId: guild, Of: []string{"stream:1"}, Rooms: []string{"dj"}}); err != nil {
		t.Fatal(err)
	}
	list(socket, `["dj"]`)
	heard("the first edge", c, "dj", true)

	c = back(c, second, 2) // the first edge still believes the client is there
	heard("the second edge", c, "dj", true)
	stopSecond()
	list(socket, `["dj"]`)
	c = back(c, first, 1)
	heard("the first edge again", c, "dj", true)

	if _, err := rooms.Join(t.Context(), &roomsv1.JoinRequest{GuildId: guild, Of: []string{"dj"}, Rooms: []string{"floor"}}); err != nil {
		t.Fatal(err)
	}
	if _, err := rooms.Leave(t.Context(), &roomsv1.LeaveRequest{GuildId: guild, Of: []string{"dj"}, Rooms: []string{"dj"}}); err != nil {
		t.Fatal(err)
	}
	list(socket, `["floor"]`)
	c = back(c, first, 1)
	heard("who has left", c, "dj", false)
	heard("who has stayed", c, "floor", true)

	c.Leave(namespace)
	list(socket, "")

	c = listen(t, first, 1)
	server.Pause()
	again := edgetest.DialWebSocket(t, first)
	again.ConnectAgain(c, namespace, auth)
	if socket = again.Joined(namespace); !again.Recovered() { // without asking Redis for long
		t.Error("not recovered while Redis hangs")
	}
	server.Resume()

	counted(t, rooms, 1, 1)
	if _, err := rooms.Join(t.Context(), &roomsv1.JoinRequest{GuildId: guild, Rooms: []string{"dj"}}); err != nil {
		t.Fatal(err)
	}
	list(socket, `["dj"]`)
	server.Kill()
	c = edgetest.DialWebSocket(t, first)
	c.ConnectAgain(again, namespace, auth) // the edge has to tell Redis that the socket before has left
	if c.Joined(namespace); !c.Recovered() {
		t.Error("not recovered while Redis is away")
	}
	server.Restart() // and has forgotten all
	list(socket, `["dj"]`)
	eventually(t, func() error { // it is left alone for a second after it has failed
		c = back(c, first, 1)
		in, err := rooms.List(t.Context(), &roomsv1.ListRequest{GuildId: guild, Room: "dj"})
		if err != nil || len(in.GetListeners()) != 1 {
			return fmt.Errorf("after an outage: %v, %w", in, err)
		}
		return nil
	})
	heard("after an outage", c, "dj", true)
}
