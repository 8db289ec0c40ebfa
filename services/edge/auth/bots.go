package auth

import (
	"context"
	"errors"
	"fmt"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	edgev1 "github.com/pona-realtime/pona/proto/pona/edge/v1"
	playerv1 "github.com/pona-realtime/pona/proto/pona/player/v1"
)

// Bots is a [Membership] that asks the guild's bot over the fanouts: it has its guilds in memory, and no
// limit on how often it is asked. The function is package link's; its error is a gRPC status.
type Bots func(ctx context.Context, guildID, userID uint64) (*edgev1.FindMemberResponse, error)

// botRetry is how long a client waits that comes while no bot answers.
const botRetry = 2 * time.Second

// Member implements [Membership]. Where no bot serves the guild it cannot be told: bots come back, and
// nobody is refused for that.
func (find Bots) Member(ctx context.Context, guildID uint64, user User, _ Credential) error {
	answer, err := find(ctx, guildID, user.ID)
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case status.Code(err) == codes.Unimplemented:
		return &Unavailable{RetryAfter: botRetry, Cause: errors.New("this fanout does not know of members yet")}
	case err != nil:
		return &Unavailable{RetryAfter: botRetry, Cause: fmt.Errorf("asking the bot: %w", err)}
	}
	switch answer.GetStanding() {
	case playerv1.Standing_STANDING_MEMBER:
		return nil
	case playerv1.Standing_STANDING_NOT_MEMBER:
		return ErrNotMember
	case playerv1.Standing_STANDING_NO_GUILD:
		return ErrInvalidGuild
	}
	return &Unavailable{RetryAfter: botRetry, Cause: fmt.Errorf("the bot's answer is %s", answer.GetStanding())}
}
