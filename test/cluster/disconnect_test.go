package cluster

import (
	"fmt"
	"testing"
	"time"

	roomsv1 "github.com/pona-realtime/pona/proto/pona/rooms/v1"
	"github.com/pona-realtime/pona/services/edge/edgetest"
	fanout "github.com/pona-realtime/pona/services/fanout/app"
	"github.com/pona-realtime/pona/services/fanout/fanouttest"
)

// wantDisconnected waits for the reason, which may come twice, and the end.
func wantDisconnected(t *testing.T, name string, c *edgetest.Client, reason string) {
	t.Helper()
	said := 0
	for {
		switch p := c.Next(); {
		case p.Type == edgetest.Event && string(p.Data) == fmt.Sprintf(`["revoked",{"message":%q}]`, reason):
			said++
		case p.Type == edgetest.Disconnect && said > 0 && said <= 2:
			return
		default:
			t.Fatalf("%s got %s, after the reason %d times", name, p, said)
		}
	}
}

// wantRefused waits until the client is not let in. It may be once more by what the edge remembers, where the adapter
// was faster than the fanout, and is disconnected then when the edge is told to forget.
func wantRefused(t *testing.T, name string, c *edgetest.Client, auth, refusal, reason string) {
	t.Helper()
	c.Connect(namespace, auth)
	p := c.Next()
	if p.Type == edgetest.Connect {
		for p.Type != edgetest.Event || string(p.Data) != fmt.Sprintf(`["revoked",{"message":%q}]`, reason) {
			p = c.Next() // the handshake
		}
		if p = c.Next(); p.Type != edgetest.Disconnect {
			t.Fatalf("%s was let in, and then got %s", name, p)
		}
		c.Connect(namespace, auth)
		p = c.Next()
	}
	if p.Type != edgetest.ConnectError || string(p.Data) != fmt.Sprintf(`{"message":%q}`, refusal) {
		t.Errorf("%s got %s", name, p)
	}
}

// TestABannedUserIsGone disconnects a user from a guild: within a second everywhere, with the reason, and no edge
// lets it in again by what it remembers once it has been told.
func TestABannedUserIsGone(t *testing.T) {
	for _, mode := range []string{"classic", "sharded"} {
		t.Run(mode, func(t *testing.T) { isGone(t, mode) })
	}
}

func isGone(t *testing.T, mode string) {
	s := setGuildStage(t, mode, false)
	banned, silent, others := map[string]*edgetest.Client{}, map[string]*edgetest.Client{}, map[string]*edgetest.Client{}
	for name, address := range s.addresses {
		banned[name], silent[name], others[name] = listen(t, address, 1), listen(t, address, 2), listen(t, address, 3)
	}
	rooms := s.rooms(t, 9)
	s.discord.Remove(guild, 1)
	began := time.Now()
	if _, err := rooms.Disconnect(t.Context(), &roomsv1.DisconnectRequest{GuildId: guild, UserId: 1, Reason: "banned"}); err != nil {
		t.Fatal(err)
	}
	for name, c := range banned {
		wantDisconnected(t, name, c, "banned")
	}
	if took := time.Since(began); took > time.Second {
		t.Errorf("took %s", took)
	}
	for _, name := range []string{"edge 1", "edge 2"} {
		wantRefused(t, name, banned[name], `{"type":"Bearer","key":"user1"}`, "not a member of this guild", "banned")
	}

	// A fanout of which no edge hears: what the adapter does alone comes in the same order.
	address, _ := startFanout(t, fanouttest.StartNATS(t).URL(), "127.0.0.1:0", func(f *fanout.Settings) { f.Redis, f.Adapter = s.redisURL, mode })
	alone := roomsv1.NewRoomsServiceClient(fanouttest.Dial(t, address))
	if _, err := alone.Disconnect(t.Context(), &roomsv1.DisconnectRequest{GuildId: guild, UserId: 2}); err != nil {
		t.Fatal(err)
	}
	for name, c := range silent {
		wantDisconnected(t, name, c, "not a member of this guild")
	}
	if _, err := rooms.Emit(t.Context(), &roomsv1.EmitRequest{GuildId: guild, Event: "end", Args: []byte("[1]")}); err != nil {
		t.Fatal(err)
	}
	for name, c := range others {
		expect(t, "who stays", name, c, `["end",1]`, nil)
	}
}
