package commands

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"sync"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	botv1 "github.com/pona-realtime/pona/proto/pona/bot/v1"
	edgev1 "github.com/pona-realtime/pona/proto/pona/edge/v1"
	playerv1 "github.com/pona-realtime/pona/proto/pona/player/v1"
)

// errNoMembers is the answer where no bot says who is in a guild.
var errNoMembers = status.Error(codes.Unavailable, "no bot of this guild answers for its members")

// FindMember asks the bot that serves a guild whether a user is in it; see EdgeService.
func (s *Server) FindMember(ctx context.Context, r *edgev1.FindMemberRequest) (*edgev1.FindMemberResponse, error) {
	if r.GetGuildId() == 0 || r.GetUserId() == 0 {
		return nil, status.Error(codes.InvalidArgument, "guild_id, user_id: must not be 0")
	}
	ctx, cancel := context.WithTimeout(ctx, s.options.Timeout)
	defer cancel()
	if response, found, err := s.memberHere(ctx, r); found {
		return response, err
	}
	var response edgev1.FindMemberResponse
	if err := s.elsewhere(ctx, findsMembers, memberSubject, r.GetGuildId(), r, &response); err != nil {
		return nil, err
	}
	return &response, nil
}

// memberHere asks a bot of this fanout, if one serves the guild and answers for its members.
func (s *Server) memberHere(ctx context.Context, r *edgev1.FindMemberRequest) (response *edgev1.FindMemberResponse, found bool, err error) {
	b := s.registry.find(r.GetGuildId(), findsMembers)
	if b == nil {
		return nil, false, nil
	}
	response, err = b.askMember(ctx, r)
	return response, true, err
}

// queries are those of one bot that wait for their answer. The zero value is none.
type queries struct {
	mu      sync.Mutex
	waiting map[string]chan *edgev1.FindMemberResponse // by id; each takes one without a reader
}

func (q *queries) begin(id string) <-chan *edgev1.FindMemberResponse {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.waiting == nil {
		q.waiting = make(map[string]chan *edgev1.FindMemberResponse)
	}
	answer := make(chan *edgev1.FindMemberResponse, 1)
	q.waiting[id] = answer
	return answer
}

// end takes a query back, with an answer unless it is nil.
func (q *queries) end(id string, answer *edgev1.FindMemberResponse) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if waiting := q.waiting[id]; waiting != nil && answer != nil {
		waiting <- answer
	}
	delete(q.waiting, id)
}

func (b *bot) askMember(ctx context.Context, r *edgev1.FindMemberRequest) (*edgev1.FindMemberResponse, error) {
	id := rand.Text()
	answer := b.queries.begin(id)
	defer b.queries.end(id, nil)
	return reply(ctx, b, &botv1.ServeCommandsResponse{Message: &botv1.ServeCommandsResponse_MemberQuery{MemberQuery: &botv1.MemberQuery{
		QueryId: id, GuildId: r.GetGuildId(), UserId: r.GetUserId(), TimeoutMs: millisecondsLeft(ctx),
	}}}, answer)
}

// member ends a query. An answer that nobody waits for is dropped; what makes no sense ends the call.
func (b *bot) member(m *botv1.Member) error {
	switch {
	case m.GetStanding() == playerv1.Standing_STANDING_UNSPECIFIED:
		return status.Error(codes.InvalidArgument, "member.standing: must be set")
	case len(m.GetVoiceChannel()) > 0 && !json.Valid(m.GetVoiceChannel()):
		return status.Error(codes.InvalidArgument, "member.voice_channel: no JSON")
	}
	b.queries.end(m.GetQueryId(), &edgev1.FindMemberResponse{Standing: m.GetStanding(), VoiceChannel: m.GetVoiceChannel()})
	return nil
}
