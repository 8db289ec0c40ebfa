package app

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"

	"github.com/pona-realtime/pona/pkg/socketio"
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
func (a *App) authorize(ctx context.Context, guildID uint64, header http.Header, payload json.RawMessage) (uint64, error) {
	credential := auth.CredentialFrom(header, payload)
	if guildID == 0 || credential.IsZero() {
		return 0, &socketio.ConnectError{Message: auth.ErrTokenRequired.Error()}
	}
	user, err := a.auth.Authorize(ctx, guildID, credential)
	var refusal auth.Refusal
	var unavailable *auth.Unavailable
	switch {
	case errors.As(err, &refusal):
		return 0, &socketio.ConnectError{Message: refusal.Error()}
	case errors.As(err, &unavailable):
		return 0, gateway.Unavailable(unavailable.RetryAfter)
	case err != nil:
		return 0, err
	}
	return user.ID, nil
}
