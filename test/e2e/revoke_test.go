package e2e

import (
	"testing"
	"time"

	"github.com/pona-realtime/pona/pkg/player"
	botv1 "github.com/pona-realtime/pona/proto/pona/bot/v1"
	edgev1 "github.com/pona-realtime/pona/proto/pona/edge/v1"
	playerv1 "github.com/pona-realtime/pona/proto/pona/player/v1"
	"github.com/pona-realtime/pona/services/edge/edgetest"
	"github.com/pona-realtime/pona/services/fanout/fanouttest"
)

const (
	partitions   = 64          // of the event stream, by default
	revokedAfter = time.Second // at most
)

// A bot revokes at one fanout; who listens on an edge that is connected only to another one is told so and
// disconnected within a second, as is who listens on an edge that is connected to both. Everything
// is a process of its own but NATS and Discord.
func TestRevocationReachesEdgesOfOtherFanouts(t *testing.T) {
	nats := startNATS(t)
	discord := edgetest.StartDiscord(t)
	here := startFanout(t, nats.URL())
	partitionsOf(t, here, partitions)
	there := startFanout(t, nats.URL())
	handed := partitionsOf(t, there, 1) // for good: the other fanout owned all, and gives only what it has to
	guild := newGuild()
	for handed[player.Partition(guild, partitions)] == 0 {
		guild = newGuild()
	}
	far, both := startEdge(t, discord, there), startEdge(t, discord, here, there)

	goes := map[string]*listener{
		"far":  listen(t, far, guild, "user1", nil),
		"both": listen(t, both, guild, "user1", []string{"websocket"}),
	}
	stays := listen(t, far, guild, "user2", []string{"websocket"})
	for _, l := range goes {
		l.payload(t, "handshake")
	}
	stays.payload(t, "handshake")

	discord.Remove(guild, 1)
	b := newBot(t, here, guild)
	began := time.Now()
	response, err := b.client.Revoke(t.Context(), &botv1.RevokeRequest{GuildId: guild, UserIds: []uint64{1}, Reason: "banned"})
	if err != nil || response.GetEdges() != 1 {
		t.Fatalf("%v, %v: one edge is connected to this fanout", response, err)
	}
	for edge, l := range goes {
		if got := l.event(t, "revoked"); got != `{"message":"banned"}` {
			t.Errorf("%s: revoked with %s", edge, got)
		}
		end := l.next(t, "that it was disconnected", func(s said) bool { return s.What == "disconnect" })
		took := time.Since(began)
		if t.Logf("%s: %s", edge, took); end.Name != "io server disconnect" || took > revokedAfter {
			t.Errorf("%s: %q after %s", edge, end.Name, took)
		}
	}

	b.publish(t, &playerv1.Event{Kind: &playerv1.Event_PauseUpdated{PauseUpdated: &playerv1.PauseUpdated{Paused: true}}})
	stays.event(t, "pause_updated")
	back := listen(t, far, guild, "user1", []string{"websocket"})
	refused := back.next(t, "that it was refused", func(s said) bool { return s.What == "refused" || s.What == "connect" })
	if refused.Message != "not a member of this guild" { // was a member when last asked about
		t.Errorf("came back: %+v", refused)
	}
}

// startFanout starts a fanout and returns where it serves bots and edges.
func startFanout(t *testing.T, nats string) string {
	t.Helper()
	p := start(t, "fanout", program(t, "fanout"), "--grpc", "127.0.0.1:0", "--admin", "127.0.0.1:0", "--nats-url", nats)
	line, _ := p.await(t, 0, "where it listens", fanoutLine.MatchString)
	return fanoutLine.FindStringSubmatch(line)[1]
}

// startEdge starts an edge that asks a Discord, and returns its URL.
func startEdge(t *testing.T, discord *edgetest.Discord, fanouts ...string) string {
	t.Helper()
	args := []string{"--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0", "--discord-url", discord.Base(), "--discord-bot-token", edgetest.DiscordBotToken}
	for _, fanout := range fanouts {
		args = append(args, "--fanout", fanout)
	}
	p := start(t, "edge", program(t, "edge"), args...)
	line, _ := p.await(t, 0, "where it listens", edgeLine.MatchString)
	return "http://" + edgeLine.FindStringSubmatch(line)[1]
}

// partitionsOf waits until a fanout owns at least so many partitions, and returns those that it owns by then.
func partitionsOf(t *testing.T, fanout string, least int) (owned map[uint32]uint64) {
	t.Helper()
	probe := fanouttest.NewEdge(t, fanout, "probe")
	probe.Await("partitions", func(came []*edgev1.DeliverResponse) bool {
		owned = fanouttest.Owned(came)
		return len(owned) >= least
	})
	probe.Close()
	return owned
}
