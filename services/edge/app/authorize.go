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
	discord, err := auth.NewDiscord(auth.DiscordOptions{
		BaseURL:  a.settings.DiscordURL,
		BotToken: a.settings.DiscordBotToken,
		Timeout:  a.settings.DiscordTimeout,
		TTL:      a.settings.AuthTTL,
		Entries:  a.settings.AuthEntries,
		Log:      a.component("auth"),
	})
	if err != nil {
		return nil, err // not a nil *Discord, which is no nil Authenticator
	}
	return discord, nil
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
