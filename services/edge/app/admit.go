package app

import (
	"context"
	"errors"
	"fmt"

	"github.com/pona-realtime/pona/services/edge/admission"
	"github.com/pona-realtime/pona/services/edge/gateway"
)

// newAdmission is the admission that the settings ask for.
func (a *App) newAdmission() (*admission.Admission, error) {
	s := a.settings
	proxies, err := admission.ParseProxies(s.TrustedProxies)
	if err != nil {
		return nil, fmt.Errorf("trusted-proxy: %w", err)
	}
	options := admission.Options{
		Rate: s.ConnectRate, AddressRate: s.AddressRate, Proxies: proxies,
		UserSockets: s.UserSockets, GuildRate: s.GuildRate, GuildSockets: s.GuildSockets,
		Edge: a.id, Log: a.component("admission"),
	}
	if a.redis != nil { // a nil *redis.Client is no nil Scripter
		options.Redis = a.redis.Client
	}
	return admission.New(options), nil
}

// admit answers the gateway whether a user's socket may come into a guild now.
func (a *App) admit(ctx context.Context, guildID, userID uint64) (leave func(), err error) {
	leave, err = a.admission.Join(ctx, guildID, userID)
	var refusal *admission.Refusal
	if errors.As(err, &refusal) {
		return nil, gateway.TooMany(refusal.RetryAfter)
	}
	return leave, err
}
