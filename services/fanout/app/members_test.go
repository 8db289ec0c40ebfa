package app_test

import (
	"context"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	botv1 "github.com/pona-realtime/pona/proto/pona/bot/v1"
	edgev1 "github.com/pona-realtime/pona/proto/pona/edge/v1"
	playerv1 "github.com/pona-realtime/pona/proto/pona/player/v1"
	"github.com/pona-realtime/pona/services/fanout/app"
	"github.com/pona-realtime/pona/services/fanout/fanouttest"
)

// found is what a FindMember call returned.
type found struct {
	response *edgev1.FindMemberResponse
	err      error
}

func find(t testing.TB, f *fanout, guildID, userID uint64) <-chan found {
	t.Helper()
	client := edgev1.NewEdgeServiceClient(fanouttest.Dial(t, f.GRPCAddr()))
	done := make(chan found, 1)
	go func() {
		response, err := client.FindMember(context.Background(), &edgev1.FindMemberRequest{GuildId: guildID, UserId: userID})
		done <- found{response, err}
	}()
	return done
}

func answering(r *botv1.Registration) *botv1.Registration {
	r = proto.CloneOf(r)
	r.AnswersMembers = true
	return r
}

func TestTheBotSaysWhoIsAMember(t *testing.T) {
	t.Parallel() // it mostly waits
	here, there := startPair(t, fanouttest.StartNATS(t).URL())
	bot := fanouttest.NewBot(t, here.GRPCAddr()).Serve(answering(allGuilds))
	fanouttest.NewBot(t, here.GRPCAddr()).Serve(allGuilds) // registered later, and does not answer for members
	for _, f := range []*fanout{here, there} {
		for _, want := range []*botv1.Member{
			{Standing: playerv1.Standing_STANDING_MEMBER, VoiceChannel: []byte(`{"id": "5"}`)},
			{Standing: playerv1.Standing_STANDING_NOT_MEMBER},
			{Standing: playerv1.Standing_STANDING_NO_GUILD},
		} {
			done := find(t, f, guild, 7)
			query := bot.NextQuery()
			if query.GetGuildId() != guild || query.GetUserId() != 7 || query.GetTimeoutMs() == 0 {
				t.Errorf("the bot got %v", query)
			}
			want.QueryId = query.GetQueryId()
			bot.Member(want)
			bot.Member(want) // a second answer is dropped
			got := await(t, done, "the answer")
			if got.err != nil || got.response.GetStanding() != want.GetStanding() || string(got.response.GetVoiceChannel()) != string(want.GetVoiceChannel()) {
				t.Errorf("%v, %v, want %v", got.response, got.err, want)
			}
		}
	}
}

func TestNobodySaysWhoIsAMember(t *testing.T) {
	f := startReady(t, fanouttest.StartNATS(t).URL(), func(s *app.Settings) { s.CommandTimeout = 100 * time.Millisecond })
	want := func(guildID, userID uint64, code codes.Code) {
		t.Helper()
		if got := await(t, find(t, f, guildID, userID), "the answer"); status.Code(got.err) != code {
			t.Errorf("%v, want %s", got.err, code)
		}
	}
	want(guild, 7, codes.Unavailable)
	fanouttest.NewBot(t, f.GRPCAddr()).Serve(allGuilds)
	want(guild, 7, codes.Unavailable) // it does not answer for members
	bot := fanouttest.NewBot(t, f.GRPCAddr()).Serve(answering(allGuilds))
	want(guild, 7, codes.DeadlineExceeded)
	want(0, 7, codes.InvalidArgument)
	want(guild, 0, codes.InvalidArgument)
	bot.NextQuery()
	done := find(t, f, guild, 7)
	query := bot.NextQuery()
	bot.Member(&botv1.Member{QueryId: query.GetQueryId()})
	if got := bot.Err(); status.Code(got) != codes.InvalidArgument || status.Convert(got).Message() != "member.standing: must be set" {
		t.Error(got)
	}
	if got := await(t, done, "the answer"); got.err == nil {
		t.Error(got.response)
	}
}

func TestRevocationsReachTheEdgesOfAllFanouts(t *testing.T) {
	url := fanouttest.StartNATS(t).URL()
	here, there := startReady(t, url), startReady(t, url)
	edges := []*fanouttest.Edge{
		fanouttest.NewEdge(t, here.GRPCAddr(), "one"), fanouttest.NewEdge(t, here.GRPCAddr(), "two"), fanouttest.NewEdge(t, there.GRPCAddr(), "two"),
	}
	for _, e := range edges {
		e.Await("the edge to be known", func(came []*edgev1.DeliverResponse) bool { return len(came) > 0 })
	}
	client := fanouttest.NewBot(t, here.GRPCAddr()).Client
	response, err := client.Revoke(t.Context(), &botv1.RevokeRequest{GuildId: guild, UserIds: []uint64{7, 8}})
	if err != nil || response.GetEdges() != 2 {
		t.Errorf("%v, %v", response, err)
	}
	want := &edgev1.Revoked{GuildId: guild, UserIds: []uint64{7, 8}, Reason: "not a member of this guild"}
	for _, e := range edges {
		e.Await("the revocation", func(came []*edgev1.DeliverResponse) bool {
			for _, response := range came {
				if proto.Equal(response.GetRevoked(), want) {
					return true
				}
			}
			return false
		})
	}
	for field, request := range map[string]*botv1.RevokeRequest{
		"guild_id: must not be 0":                {UserIds: []uint64{7}},
		"user_ids: 0, must be 1 to 1000":         {GuildId: guild},
		"user_ids[1]: must not be 0":             {GuildId: guild, UserIds: []uint64{7, 0}},
		"reason: 129 bytes, must be at most 128": {GuildId: guild, UserIds: []uint64{7}, Reason: string(make([]byte, 129))},
		"user_ids: 1001, must be 1 to 1000":      {GuildId: guild, UserIds: make([]uint64, 1001)},
	} {
		if _, err := client.Revoke(t.Context(), request); status.Convert(err).Message() != field {
			t.Errorf("%v, want %s", err, field)
		}
	}
}
