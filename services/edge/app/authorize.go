package app

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"

	"github.com/pona-realtime/pona/pkg/socketio"
	edgev1 "github.com/pona-realtime/pona/proto/pona/edge/v1"
	"github.com/pona-realtime/pona/services/edge/auth"
	"github.com/pona-realtime/pona/services/edge/gateway"
)

// authenticator is the one that the settings name.
func (a *App) authenticator() (auth.Authenticator, error) {
	if a.settings.Auth == "insecure-dev" {
		a.log.Warn("insecure-dev: every credential is believed")
		return auth.InsecureDev{}, nil
	}
	s := a.settings
	var discord *auth.Discord
	var members auth.Membership
	var err error
	if s.Auth == "discord" || s.Members == "bot-token" {
		if discord, err = auth.NewDiscord(auth.DiscordOptions{
			BaseURL:     s.DiscordURL,
			Application: s.DiscordApplication,
			BotToken:    s.DiscordBotToken,
			Timeout:     s.DiscordTimeout,
			Invalid:     s.DiscordInvalid,
			Log:         a.component("auth"),
			Metrics:     a.registry,
		}); err != nil {
			return nil, err
		}
	}
	switch s.Members {
	case "bot-token":
		members = discord.ByBot()
	case "user-token":
		members = discord.ByUser()
	case "bot":
		members = auth.Bots(func(ctx context.Context, guildID, userID uint64) (*edgev1.FindMemberResponse, error) {
			return a.links.FindMember(ctx, guildID, userID) // made later, and before the first client
		})
	}
	if s.Auth == "discord" {
		return a.gate(discord, members)
	}
	tokens, err := a.tokens()
	if err != nil {
		if discord != nil {
			discord.Close()
		}
		return nil, err
	}
	return a.gate(tokens, members)
}

// tokens are those of a backend of one's own.
func (a *App) tokens() (*auth.JWT, error) {
	s := a.settings
	options := auth.JWTOptions{
		Secret: []byte(s.JWTSecret), KeySet: s.JWTKeys, Algorithms: s.JWTAlgorithms,
		Audience: s.JWTAudience, Issuer: s.JWTIssuer, Leeway: s.JWTLeeway, UserClaim: s.JWTUser,
		Timeout: s.DiscordTimeout, Log: a.component("auth"),
	}
	if s.Members == "token" {
		options.GuildsClaim = s.JWTGuilds
	}
	return auth.NewJWT(options)
}

// gate remembers what identity and members answer, as the settings say.
func (a *App) gate(identity auth.Identity, members auth.Membership) (auth.Authenticator, error) {
	s := a.settings
	options := auth.GateOptions{
		Cache: auth.CacheOptions{
			Entries: s.AuthEntries, TTL: s.AuthTTL, Refused: s.AuthRefusedTTL, Absent: s.AuthAbsentTTL,
			Stale: s.AuthStale, Disabled: !s.AuthCache,
		},
		LocalIdentity: s.Auth == "jwt",
		Log:           a.component("auth"),
	}
	if s.AuthStale == 0 {
		options.Cache.Stale = -1
	}
	for _, key := range s.ClusterKeys {
		options.Secrets = append(options.Secrets, []byte(key))
	}
	if a.redis != nil && s.AuthShared && len(s.ClusterKeys) > 0 {
		options.Redis = a.redis.Client
	}
	gate, err := auth.NewGate(identity, members, options)
	if err != nil {
		return nil, err // not a nil *Gate, which is no nil Authenticator
	}
	a.registry.MustRegister(authStats(gate.Stats))
	return gate, nil
}

// authorize answers the gateway who may join a guild. This is where the authenticator's refusals become
// what clients get.
func (a *App) authorize(ctx context.Context, guildID uint64, header http.Header, payload json.RawMessage) (gateway.Grant, error) {
	credential := auth.CredentialFrom(header, payload)
	if guildID == 0 || credential.IsZero() {
		return gateway.Grant{}, &socketio.ConnectError{Message: auth.ErrTokenRequired.Error()}
	}
	user, err := a.auth.Authorize(ctx, guildID, credential)
	var refusal auth.Refusal
	var unavailable *auth.Unavailable
	switch {
	case errors.As(err, &refusal):
		return gateway.Grant{}, &socketio.ConnectError{Message: refusal.Error()}
	case errors.As(err, &unavailable):
		return gateway.Grant{}, gateway.Unavailable(unavailable.RetryAfter)
	case err != nil:
		return gateway.Grant{}, err
	}
	return gateway.Grant{UserID: user.ID, Until: user.Expires}, nil
}

// revoked takes what fanouts say of users who may no longer listen.
func (a *App) revoked(ctx context.Context, r *edgev1.Revoked) {
	a.gateway.Revoke(ctx, gateway.Revocation{GuildID: r.GetGuildId(), UserIDs: r.GetUserIds(), Reason: r.GetReason(), Check: r.GetCheck()})
}
