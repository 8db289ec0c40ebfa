package link

import (
	"context"

	edgev1 "github.com/pona-realtime/pona/proto/pona/edge/v1"
)

// maxRevoked bounds the revocations that wait to be told.
const maxRevoked = 256

// tellRevoked tells revocations until ctx ends.
func (l *Links) tellRevoked(ctx context.Context) {
	for {
		select {
		case revoked := <-l.revoked:
			if l.options.Revoked != nil {
				l.options.Revoked(ctx, revoked)
			}
		case <-ctx.Done():
			return
		}
	}
}

// FindMember asks the guild's bot whether a user is in it, through any connected fanout. The error is a
// gRPC status, [ErrNoFanout] among them.
func (l *Links) FindMember(ctx context.Context, guildID, userID uint64) (*edgev1.FindMemberResponse, error) {
	s := l.choose(guildID)
	if s == nil {
		return nil, ErrNoFanout
	}
	ctx, cancel := context.WithTimeout(ctx, l.options.Timeout)
	defer cancel()
	return s.client.FindMember(ctx, &edgev1.FindMemberRequest{GuildId: guildID, UserId: userID})
}
