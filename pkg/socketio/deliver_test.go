package socketio

import "testing"

// TestDeliverTellsWhatItCameTo looks for the room's event at the clients' sockets without waiting for a flusher,
// in a room small enough to be written at once and in one that is not.
func TestDeliverTellsWhatItCameTo(t *testing.T) {
	for _, members := range []int{1, fewSockets + 1} {
		server, address, sockets := accepted(t)
		clients := make([]*client, members)
		for i := range clients {
			clients[i] = enter(t, address, "")
			await(t, sockets).Join("r")
		}
		enter(t, address, "") // is in no room
		await(t, sockets)
		one, _ := NewPacket("one", 1)
		two, _ := NewPacket("two")
		reach, err := server.Of("/").To("r").Deliver(one, two)
		if err != nil {
			t.Fatal(err)
		}
		if want := (Reach{Sockets: members, Bytes: int64(members * len(`2["one",1]`+`2["two"]`))}); reach != want {
			t.Errorf("%+v, want %+v", reach, want)
		}
		if sent := server.Stats().Engine.MessagesSent; sent < uint64(2*members) {
			t.Errorf("%d messages have been sent", sent)
		}
		for _, c := range clients {
			c.expect(`2["one",1]`, `2["two"]`)
		}
		if reach, err := server.Of("/").To("nobody").Deliver(one); err != nil || reach != (Reach{}) {
			t.Errorf("nobody: %+v, %v", reach, err)
		}
	}
}
