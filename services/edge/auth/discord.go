package auth

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/maypok86/otter/v2"
)

// DiscordOptions tunes [Discord].
type DiscordOptions struct {
	BaseURL  string        // of the API, with its version: https://discord.com/api/v10
	BotToken string        // of the bot whose guilds these are, without "Bot "
	Timeout  time.Duration // of one call; 0 means 5s
	TTL      time.Duration // how long a positive answer is believed; 0 means 5m
	Entries  int           // users, and as many memberships, remembered; 0 means 1000
	Log      *slog.Logger  // upstream trouble beginning and ending; nil means none
}

// Discord asks Discord's API (discord.com/developers/docs, version 10) who a credential belongs to
// and whether that user is in the guild, which it asks with the bot's own token. Positive answers
// are remembered, refusals and trouble are not; of simultaneous questions one is asked.
type Discord struct {
	options DiscordOptions
	client  *http.Client
	secret  [32]byte // keys the users' cache: HMAC-SHA256 of credentials, unknown outside the process

	users   *otter.Cache[fingerprint, User]
	members *otter.Cache[membership, struct{}]
	limits  *limits
	trouble trouble
}

// NewDiscord checks the options; nothing is asked yet. The error names the option.
func NewDiscord(options DiscordOptions) (*Discord, error) {
	base, err := url.Parse(options.BaseURL)
	if err != nil || base.Scheme != "http" && base.Scheme != "https" || base.Host == "" {
		return nil, fmt.Errorf("discord URL %q: must be like https://discord.com/api/v10", options.BaseURL)
	}
	bot := Credential{header: "Bot " + options.BotToken}
	if options.BotToken == "" || !bot.sendable() {
		return nil, errors.New("discord bot token: missing or not the value of a header")
	}
	if options.Timeout <= 0 {
		options.Timeout = 5 * time.Second
	}
	if options.TTL <= 0 {
		options.TTL = 5 * time.Minute
	}
	if options.Entries <= 0 {
		options.Entries = 1000
	}
	if options.Log == nil {
		options.Log = slog.New(slog.DiscardHandler)
	}
	options.BaseURL = strings.TrimRight(options.BaseURL, "/")

	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.MaxIdleConnsPerHost = 16
	transport.MaxConnsPerHost = 64 // more questions at once wait for their turn, within Timeout
	d := &Discord{
		options: options,
		client: &http.Client{
			Transport:     transport,
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
		users:   remember[fingerprint, User](options),
		members: remember[membership, struct{}](options),
		limits:  newLimits(options.Entries),
		trouble: trouble{log: options.Log},
	}
	_, _ = rand.Read(d.secret[:]) // never fails
	return d, nil
}

func remember[K comparable, V any](options DiscordOptions) *otter.Cache[K, V] {
	return otter.Must(&otter.Options[K, V]{
		MaximumSize:      options.Entries,
		ExpiryCalculator: otter.ExpiryWriting[K, V](options.TTL),
		Logger:           &otter.NoopLogger{}, // load errors come back to the caller
	})
}

// Authorize implements [Authenticator]: who first, then where.
func (d *Discord) Authorize(ctx context.Context, guildID uint64, credential Credential) (User, error) {
	if credential.IsZero() {
		return User{}, ErrTokenRequired
	}
	if !credential.sendable() {
		return User{}, ErrUnauthorized
	}
	user, err := d.user(ctx, credential)
	if err != nil {
		return User{}, err
	}
	if err := d.member(ctx, guildID, user); err != nil {
		return User{}, err
	}
	return user, nil
}

// Close implements [Authenticator].
func (d *Discord) Close() {
	d.users.StopAllGoroutines()
	d.members.StopAllGoroutines()
	d.limits.until.StopAllGoroutines()
	d.client.CloseIdleConnections()
}
