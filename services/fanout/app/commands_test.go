package app_test

import (
	"context"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	botv1 "github.com/pona-realtime/pona/proto/pona/bot/v1"
	edgev1 "github.com/pona-realtime/pona/proto/pona/edge/v1"
	"github.com/pona-realtime/pona/services/fanout/app"
	"github.com/pona-realtime/pona/services/fanout/fanouttest"
)

var allGuilds = &botv1.Registration{BotName: "bot", Scope: &botv1.Registration_All{All: &botv1.AllGuilds{}}}

// outcome is what a Dispatch call returned, and when.
type outcome struct {
	response *edgev1.DispatchResponse
	err      error
	took     time.Duration
}

var commandIDs atomic.Int64

// dispatch sends a command for a guild in the background.
func dispatch(t testing.TB, f *fanout, guildID uint64) <-chan outcome {
	t.Helper()
	request := &edgev1.DispatchRequest{
		CommandId: fmt.Sprintf("c-%d", commandIDs.Add(1)), GuildId: guildID, UserId: 7, SocketId: "abcdefghijklmnopqrst",
		Name: "seek", Args: [][]byte{[]byte(`12.50`), []byte(`{"b":1,"a":"<é>"}`)},
	}
	client := edgev1.NewEdgeServiceClient(fanouttest.Dial(t, f.GRPCAddr()))
	done := make(chan outcome, 1)
	go func() {
		began := time.Now()
		response, err := client.Dispatch(context.Background(), request)
		done <- outcome{response, err, time.Since(began)}
	}()
	return done
}

func TestCommandReachesTheBotAndItsAnswerComesBack(t *testing.T) {
	f := startReady(t, fanouttest.StartNATS(t).URL())
	bot := fanouttest.NewBot(t, f.GRPCAddr()).Serve(allGuilds)
	for _, test := range []struct {
		answer *botv1.Answer
		want   string
	}{
		{&botv1.Answer{Status: botv1.Status_STATUS_OK}, `{"status":"ok"}`},
		{&botv1.Answer{Status: botv1.Status_STATUS_ERROR}, `{"status":"error"}`},
		{&botv1.Answer{Status: botv1.Status_STATUS_ERROR, Reason: `not "in" <your> é channel`}, `{"status":"error","reason":"not \"in\" <your> é channel"}`},
		{&botv1.Answer{Status: botv1.Status_STATUS_OK, Json: []byte(`{ "n": 1.50 }`)}, `{ "n": 1.50 }`},
		{&botv1.Answer{Status: botv1.Status_STATUS_OK, Json: []byte(`{`)}, `{"status":"error","reason":"the bot's answer is no JSON"}`},
		{&botv1.Answer{}, `{"status":"error","reason":"the bot's answer has no status"}`},
	} {
		done := dispatch(t, f, guild)
		command := bot.Next()
		if command.GetName() != "seek" || string(command.GetArgs()[0]) != "12.50" || string(command.GetArgs()[1]) != `{"b":1,"a":"<é>"}` ||
			command.GetGuildId() != guild || command.GetUserId() != 7 || command.GetSocketId() != "abcdefghijklmnopqrst" ||
			command.GetTimeoutMs() == 0 || command.GetTimeoutMs() > 5000 {
			t.Errorf("the bot got %v", command)
		}
		test.answer.CommandId = command.GetCommandId()
		bot.Answer(test.answer)
		if got := await(t, done, "the answer"); got.err != nil || string(got.response.GetResult()) != test.want {
			t.Errorf("answer %v came as %v, %v; want %s", test.answer, got.response, got.err, test.want)
		}
	}
}

func TestAnswerWaitsForTheEventsThatTheBotPublishedBefore(t *testing.T) {
	f := startReady(t, fanouttest.StartNATS(t).URL())
	publisher := fanouttest.NewBot(t, f.GRPCAddr())
	bot := publisher.Serve(allGuilds)
	for i, sequence := range []uint64{0, 5} {
		done := dispatch(t, f, guild)
		command := bot.Next()
		stored := publisher.Publish(fanouttest.Volume(guild, i+1), fanouttest.Volume(guild+1, i+1))[0].GetSequence()
		bot.Answer(&botv1.Answer{CommandId: command.GetCommandId(), Status: botv1.Status_STATUS_OK, Sequence: sequence})
		want := sequence
		if want == 0 {
			want = stored
		}
		if got := await(t, done, "the answer"); got.response.GetSequence() != want {
			t.Errorf("answer at %d comes with sequence %d, want %d", sequence, got.response.GetSequence(), want)
		}
	}
}

func TestCommandWithoutBotIsAnsweredAtOnce(t *testing.T) {
	first, second := startPair(t, fanouttest.StartNATS(t).URL())
	bot := fanouttest.NewBot(t, second.GRPCAddr())
	bot.Serve(&botv1.Registration{BotName: "one", Scope: &botv1.Registration_Guilds{Guilds: &botv1.GuildList{GuildIds: []uint64{5}}}})
	bot.Serve(&botv1.Registration{BotName: "shard", Scope: &botv1.Registration_Shard{Shard: &botv1.Shard{Index: 1, Count: 2}}})
	got := await(t, dispatch(t, first, 6), "the answer") // 6 is in shard 0, and not listed
	if status.Code(got.err) != codes.Unavailable || got.took > time.Second {
		t.Errorf("after %v: %v", got.took, got.err)
	}
}

func TestCommandFindsTheBotOfAnotherFanout(t *testing.T) {
	t.Parallel() // it mostly waits
	first, second := startPair(t, fanouttest.StartNATS(t).URL())
	bot := fanouttest.NewBot(t, second.GRPCAddr()).Serve(
		&botv1.Registration{BotName: "shard", Scope: &botv1.Registration_Shard{Shard: &botv1.Shard{Index: 1, Count: 2}}})
	const inShardOne = 3 << 22
	done := dispatch(t, first, inShardOne)
	command := bot.Next()
	if string(command.GetArgs()[0]) != "12.50" || command.GetTimeoutMs() == 0 {
		t.Errorf("the bot got %v", command)
	}
	bot.Answer(&botv1.Answer{CommandId: command.GetCommandId(), Status: botv1.Status_STATUS_OK, Sequence: 9})
	if got := await(t, done, "the answer"); got.err != nil || string(got.response.GetResult()) != `{"status":"ok"}` || got.response.GetSequence() != 9 {
		t.Errorf("%v, %v", got.response, got.err)
	}
	done = dispatch(t, first, inShardOne)
	bot.Next()
	bot.Close()
	if got := await(t, done, "the answer"); status.Code(got.err) != codes.Unavailable {
		t.Errorf("a bot that left: %v", got.err)
	}
}

func TestBotThatIsSilentTimesOutAndItsLateAnswerIsDropped(t *testing.T) {
	f := startReady(t, fanouttest.StartNATS(t).URL(), func(s *app.Settings) { s.CommandTimeout = 100 * time.Millisecond })
	bot := fanouttest.NewBot(t, f.GRPCAddr()).Serve(allGuilds)
	done := dispatch(t, f, guild)
	late := bot.Next()
	if got := await(t, done, "the answer"); status.Code(got.err) != codes.DeadlineExceeded || got.took < 100*time.Millisecond {
		t.Errorf("after %v: %v", got.took, got.err)
	}
	bot.Answer(&botv1.Answer{CommandId: late.GetCommandId(), Status: botv1.Status_STATUS_OK})
	bot.Answer(&botv1.Answer{CommandId: "never asked", Status: botv1.Status_STATUS_OK})
	done = dispatch(t, f, guild)
	bot.Answer(&botv1.Answer{CommandId: bot.Next().GetCommandId(), Status: botv1.Status_STATUS_ERROR})
	if got := await(t, done, "the answer"); string(got.response.GetResult()) != `{"status":"error"}` {
		t.Errorf("the next command: %v, %v", got.response, got.err)
	}
}

func TestBotThatRegisteredLastIsAsked(t *testing.T) {
	f := startReady(t, fanouttest.StartNATS(t).URL())
	fanouttest.NewBot(t, f.GRPCAddr()).Serve(allGuilds)
	restarted := fanouttest.NewBot(t, f.GRPCAddr()).Serve(allGuilds)
	done := dispatch(t, f, guild)
	restarted.Answer(&botv1.Answer{CommandId: restarted.Next().GetCommandId(), Status: botv1.Status_STATUS_OK})
	if got := await(t, done, "the answer"); got.err != nil {
		t.Error(got.err)
	}
}

func TestBadRegistrationNamesTheField(t *testing.T) {
	f := startReady(t, fanouttest.StartNATS(t).URL())
	for _, test := range []struct {
		request *botv1.ServeCommandsRequest
		want    string
	}{
		{&botv1.ServeCommandsRequest{Message: &botv1.ServeCommandsRequest_Answer{Answer: &botv1.Answer{}}}, "registration: must be the first message"},
		{register(&botv1.Registration{}), "registration.bot_name: 0 bytes, must be 1 to 64"},
		{register(&botv1.Registration{BotName: "b"}), "registration: one of all, guilds and shard must be set"},
		{register(&botv1.Registration{BotName: "b", Scope: &botv1.Registration_Shard{Shard: &botv1.Shard{Index: 2, Count: 2}}}), "registration.shard: index 2 of 2"},
		{register(&botv1.Registration{BotName: "b", Scope: &botv1.Registration_Guilds{Guilds: &botv1.GuildList{GuildIds: []uint64{1, 0}}}}),
			"registration.guilds.guild_ids[1]: must not be 0"},
	} {
		stream, err := fanouttest.NewBot(t, f.GRPCAddr()).Client.ServeCommands(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if err := stream.Send(test.request); err != nil {
			t.Fatal(err)
		}
		_, err = stream.Recv()
		if status.Code(err) != codes.InvalidArgument || status.Convert(err).Message() != test.want {
			t.Errorf("refused with %v, want %s", err, test.want)
		}
	}
}

func register(r *botv1.Registration) *botv1.ServeCommandsRequest {
	return &botv1.ServeCommandsRequest{Message: &botv1.ServeCommandsRequest_Registration{Registration: r}}
}
