package app_test

import (
	"testing"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	botv1 "github.com/pona-realtime/pona/proto/pona/bot/v1"
	"github.com/pona-realtime/pona/services/fanout/fanouttest"
)

func shard(index, count uint32) *botv1.Registration {
	return &botv1.Registration{BotName: "shard", Scope: &botv1.Registration_Shard{Shard: &botv1.Shard{Index: index, Count: count}}}
}

// TestEachShardGetsItsGuilds has the shards of one bot on two fanouts, and commands come to either.
func TestEachShardGetsItsGuilds(t *testing.T) {
	t.Parallel() // it mostly waits
	const shards = 4
	first, second := startPair(t, fanouttest.StartNATS(t).URL())
	fanouts := []*fanout{first, second}
	var bots []*fanouttest.Commands
	for index := range uint32(shards) {
		bots = append(bots, fanouttest.NewBot(t, fanouts[index%2].GRPCAddr()).Serve(shard(index, shards)))
	}
	for n := range uint64(2 * shards) {
		guildID := n<<22 | 12345 // Discord: (guild_id >> 22) % shards
		done := dispatch(t, fanouts[n%3%2], guildID)
		bot := bots[n%shards]
		command := bot.Next()
		if command.GetGuildId() != guildID {
			t.Errorf("shard %d got guild %d", n%shards, command.GetGuildId())
		}
		bot.Answer(&botv1.Answer{CommandId: command.GetCommandId(), Status: botv1.Status_STATUS_OK})
		if got := await(t, done, "the answer"); got.err != nil {
			t.Error(got.err)
		}
	}
	bots[1].Close()
	if err := bots[1].Err(); err == nil {
		t.Error("the call has not ended")
	}
	for range 2 { // however far the fanout is with deregistering it, there is one answer, and none of another shard
		if got := await(t, dispatch(t, fanouts[0], 1<<22), "the answer"); status.Code(got.err) != codes.Unavailable {
			t.Errorf("%v, %v", got.response, got.err)
		}
	}
}

// TestTheFanoutOfTheBotStopsWhileACommandIsUnderWay has it stop after the bot got the command: the one that
// asks is told, and no other bot gets it.
func TestTheFanoutOfTheBotStopsWhileACommandIsUnderWay(t *testing.T) {
	t.Parallel() // it mostly waits
	asking, stopping := startPair(t, fanouttest.StartNATS(t).URL())
	bot := fanouttest.NewBot(t, stopping.GRPCAddr()).Serve(allGuilds)
	done := dispatch(t, asking, guild)
	bot.Next()
	other := fanouttest.NewBot(t, asking.GRPCAddr()).Serve(allGuilds)
	stopping.stop(t)
	if got := await(t, done, "the answer"); status.Code(got.err) != codes.Unavailable {
		t.Errorf("%v, %v", got.response, got.err)
	}
	done = dispatch(t, asking, guild)
	command := other.Next() // the next one, not the one before again
	other.Answer(&botv1.Answer{CommandId: command.GetCommandId(), Status: botv1.Status_STATUS_OK})
	if got := await(t, done, "the answer"); got.err != nil {
		t.Error(got.err)
	}
}
