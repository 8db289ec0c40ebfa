package auth

import (
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// DiscordOptions tunes [Discord].
type DiscordOptions struct {
	BaseURL     string        // of the API, with its version: https://discord.com/api/v10
	Application uint64        // tokens must be issued to this application; 0 means any
	BotToken    string        // of the bot whose guilds these are, without "Bot "; needed by [Discord.ByBot] only
	Timeout     time.Duration // of one call; 0 means 5s
	Invalid     int           // most calls in 10 minutes that Discord may count as invalid; 0 means 1000
	Log         *slog.Logger  // upstream trouble beginning and ending; nil means none

	Metrics prometheus.Registerer // nil means none
}

// Discord asks Discord's API (discord.com/developers/docs, version 10) who a credential belongs to, and
// whether a user is in a guild. It remembers no answers; what it remembers is when Discord does not want
// to be asked (§ Rate Limits).
//
// It is an [Identity]; [Discord.ByBot] and [Discord.ByUser] are a [Membership].
type Discord struct {
	options  DiscordOptions
	client   *http.Client
	hasher   hasher
	limits   *limits
	budget   *budget
	breakers [2]*breaker // of calls with a user's credential, and with the bot's
	trouble  trouble
	measured *measured
}

// NewDiscord checks the options; nothing is asked yet. The error names the option.
func NewDiscord(options DiscordOptions) (*Discord, error) {
	base, err := url.Parse(options.BaseURL)
	if err != nil || base.Scheme != "http" && base.Scheme != "https" || base.Host == "" {
		return nil, fmt.Errorf("discord-url: %q, must be like https://discord.com/api/v10", options.BaseURL)
	}
	if bot := (Credential{header: "Bot " + options.BotToken}); !bot.sendable() {
		return nil, errors.New("discord bot token: not the value of a header")
	}
	if options.Timeout <= 0 {
		options.Timeout = 5 * time.Second
	}
	if options.Invalid <= 0 {
		options.Invalid = 1000
	}
	if options.Log == nil {
		options.Log = slog.New(slog.DiscardHandler)
	}
	options.BaseURL = strings.TrimRight(options.BaseURL, "/")

	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.MaxIdleConnsPerHost = 16
	transport.MaxConnsPerHost = 64 // more questions at once wait for their turn, within Timeout
	budget := newBudget(options.Invalid)
	return &Discord{
		options: options,
		client: &http.Client{
			Transport:     transport,
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
		hasher:   newHasher(nil),
		limits:   newLimits(),
		budget:   budget,
		breakers: [2]*breaker{newBreaker("users"), newBreaker("members")},
		trouble:  trouble{log: options.Log},
		measured: measure(options.Metrics, budget),
	}, nil
}

// Close releases connections and what is remembered; no call may be under way or follow, but for Close.
func (d *Discord) Close() {
	d.limits.close()
	d.client.CloseIdleConnections()
}
