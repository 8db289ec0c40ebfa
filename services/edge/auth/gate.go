package auth

import (
	"context"
	"log/slog"
	"slices"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/pona-realtime/pona/services/edge/seal"
)

// Identity says whose credential it is. The error is [ErrUnauthorized], an [*Unavailable], or ctx's.
type Identity interface {
	Identify(ctx context.Context, credential Credential) (User, error)
}

// Membership says whether a user is in a guild that the bot is in. The error is [ErrInvalidGuild],
// [ErrNotMember], an [*Unavailable], or ctx's.
type Membership interface {
	Member(ctx context.Context, guildID uint64, user User, credential Credential) error
}

// GateOptions tunes a [Gate].
type GateOptions struct {
	Cache CacheOptions
	// Redis keeps what is remembered for all edges and beyond a restart; nil means each for itself.
	// It needs Secrets.
	Redis redis.UniversalClient
	// Secrets are the cluster's; the first one seals and hashes, the others still open. Nil: a secret of
	// this process.
	Secrets [][]byte
	// LocalIdentity says that Identify costs next to nothing, so that users are not remembered.
	LocalIdentity bool
	Log           *slog.Logger // nil means none
}

// Gate is an [Authenticator] that asks an Identity who comes and a Membership whether they belong, and
// remembers the answers.
type Gate struct {
	identity   Identity
	membership Membership
	hasher     hasher
	users      *memory[fingerprint, User]
	members    *memory[membership, present]
}

// membership is a user found in a guild.
type membership struct{ guild, user uint64 }

// present is the value of a membership: none but that it is.
type present struct{}

func (present) end() time.Time { return time.Time{} }
func (u User) end() time.Time  { return u.Expires }

// NewGate makes a gate, which closes identity and membership if they have a Close. The error names the option.
func NewGate(identity Identity, members Membership, options GateOptions) (*Gate, error) {
	if options.Log == nil {
		options.Log = slog.New(slog.DiscardHandler)
	}
	g := &Gate{identity: identity, membership: members}
	var first []byte
	if len(options.Secrets) > 0 {
		first = options.Secrets[0]
	}
	g.hasher = newHasher(first)
	var second *shared
	if options.Redis != nil {
		sealer, err := seal.New("auth", options.Secrets...)
		if err != nil {
			return nil, err
		}
		second = &shared{client: options.Redis, sealer: sealer, timeout: sharedTimeout, log: options.Log}
	}
	cache := options.Cache.withDefaults()
	ofUsers := cache
	ofUsers.Disabled = cache.Disabled || options.LocalIdentity
	ofMembers := cache
	ofMembers.Refused = cache.Absent // another credential of the same user may do
	g.users = newMemory[fingerprint, User](ofUsers, second, g.hasher.userName)
	g.members = newMemory[membership, present](ofMembers, second, g.hasher.memberName)
	return g, nil
}

// Authorize implements [Authenticator]: who first, then where.
func (g *Gate) Authorize(ctx context.Context, guildID uint64, credential Credential) (User, error) {
	switch {
	case ctx.Err() != nil:
		return User{}, ctx.Err()
	case credential.IsZero():
		return User{}, ErrTokenRequired
	case !credential.sendable():
		return User{}, ErrUnauthorized
	}
	user, err := g.users.get(ctx, g.hasher.credential(credential), func(ctx context.Context) (User, error) {
		return g.identity.Identify(ctx, credential)
	})
	if err != nil {
		return User{}, err
	}
	if !user.Expires.IsZero() && !time.Now().Before(user.Expires) {
		return User{}, ErrUnauthorized
	}
	if user.Guilds != nil { // the credential itself says where
		if !slices.Contains(user.Guilds, guildID) {
			return User{}, ErrNotMember
		}
		return user, nil
	}
	_, err = g.members.get(ctx, membership{guildID, user.ID}, func(ctx context.Context) (present, error) {
		return present{}, g.membership.Member(ctx, guildID, user, credential)
	})
	if err != nil {
		return User{}, err
	}
	return user, nil
}

// Forget implements [Authenticator].
func (g *Gate) Forget(ctx context.Context, userID, guildID uint64) {
	if guildID != 0 {
		g.members.forget(ctx, membership{guildID, userID})
		return
	}
	g.members.forgetAll(ctx, func(m membership, _ present) bool { return m.user == userID })
	g.users.forgetAll(ctx, func(_ fingerprint, u User) bool { return u.ID == userID })
}

// Close implements [Authenticator].
func (g *Gate) Close() {
	g.users.close()
	g.members.close()
	for _, part := range []any{g.identity, g.membership} {
		if closer, is := part.(interface{ Close() }); is {
			closer.Close()
		}
	}
}
