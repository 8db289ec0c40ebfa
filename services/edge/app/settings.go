package app

import (
	"errors"
	"fmt"
	"net"
	"net/url"
	"time"

	"github.com/pona-realtime/pona/pkg/service"
	"github.com/pona-realtime/pona/pkg/settings"
	"github.com/pona-realtime/pona/pkg/tracing"
	"github.com/pona-realtime/pona/services/edge/seal"
)

// Program is what the command says of itself.
var Program = settings.Program{
	Name:        "edge",
	Description: "edge serves Pona's events to browsers over Socket.IO.",
	EnvPrefix:   "PONA_EDGE",
}

// Settings are all that can be set of an edge, as flags, variables (PONA_EDGE_…) and keys of a file;
// see pkg/settings, whose Defaults fills in what holds where nothing is set.
type Settings struct {
	Listen             string         `default:":8080" unit:"host:port" group:"Clients" help:"Address that clients connect to."`
	Admin              string         `default:":9090" unit:"host:port" group:"Clients" help:"Address of health, metrics and profiles, for operators only."`
	TLSCert            string         `name:"tls-cert" unit:"path" group:"Clients" help:"Certificate for https and wss (PEM, the whole chain), read again when it changes. Empty: no TLS, which is the balancer's business."`
	TLSKey             string         `name:"tls-key" unit:"path" group:"Clients" help:"Its key (PEM)."`
	Origins            []string       `default:"https://pona.ponlponl123.com" group:"Clients" help:"Browser origins that may connect; * alone means every one."`
	Credentials        bool           `group:"Clients" help:"Let browsers send cookies and their stored authorization."`
	PingInterval       time.Duration  `default:"25s" group:"Clients" help:"Time between a client's pong and its next ping."`
	PingTimeout        time.Duration  `default:"20s" group:"Clients" help:"Time a client has to answer a ping."`
	UpgradeTimeout     time.Duration  `default:"10s" group:"Clients" help:"Time a client has to complete its upgrade to WebSocket."`
	ConnectTimeout     time.Duration  `default:"45s" group:"Clients" help:"Time a new session has to join its first namespace."`
	MaxPayload         settings.Bytes `default:"15MB" group:"Clients" help:"Largest message taken from a client, with its attachments."`
	MaxQueue           settings.Bytes `default:"32MiB" group:"Clients" help:"Most that waits for one client that does not read. From half of it on, superseded positions and queues are left out; at the bound the client is cut, comes back, and gets what it missed or, where that is too much, a new handshake."`
	MaxQueuePackets    int            `default:"8192" unit:"packets" group:"Clients" help:"Most packets that wait likewise."`
	MaxSessions        int            `default:"0" unit:"sessions, 0 for no bound" group:"Clients" help:"Most sessions at the same time."`
	Transports         []string       `default:"polling,websocket" enum:"polling,websocket" group:"Clients" help:"Transports offered."`
	Compression        bool           `default:"true" negatable:"" group:"Clients" help:"Compress large messages."`
	CompressionMinimum settings.Bytes `default:"1KiB" group:"Clients" help:"Size from which on messages are compressed."`
	CompressionLevel   int            `default:"6" unit:"1 (fast) to 9 (small)" group:"Clients" help:"Effort of compression."`

	ID          string   `unit:"text" group:"Cluster" help:"Name of this edge in logs, unique in the cluster. Empty: made from the advertised address."`
	Advertise   string   `unit:"host:port" group:"Cluster" help:"Address at which other edges reach this one. Empty: the listening address, or the first of this machine's."`
	ClusterKeys []string `name:"cluster-key" secret:"" unit:"text of 32 bytes or more, comma separated" group:"Cluster" help:"Secret that all edges share; the first one seals, the others are still accepted. Empty: made anew at each start, and polling needs sticky sessions."`

	Fanouts    []string      `name:"fanout" default:"127.0.0.1:7070" unit:"host:port, or dns:///name:port for all addresses of a name" group:"Fanouts" help:"Fanouts to dial."`
	FanoutCA   string        `name:"fanout-ca" unit:"path" group:"Fanouts" help:"Authorities (PEM) that fanouts' certificates must be from. Empty: no TLS to fanouts."`
	FanoutCert string        `name:"fanout-cert" unit:"path" group:"Fanouts" help:"Certificate to show to fanouts (PEM)."`
	FanoutKey  string        `name:"fanout-key" unit:"path" group:"Fanouts" help:"Its key (PEM)."`
	FanoutName string        `name:"fanout-name" unit:"host" group:"Fanouts" help:"Name that fanouts' certificates must hold. Empty: the address that is dialled, which for dns:///… is an IP address."`
	Discovery  time.Duration `default:"5s" group:"Fanouts" help:"Time between two look-ups of a name."`
	Linger     time.Duration `default:"30s" group:"Fanouts" help:"Time a guild's state is kept after its last listener has gone."`
	JoinWait   time.Duration `default:"5s" group:"Fanouts" help:"Time a client waits for the state of a guild that is not known yet."`

	ConnectRate    float64  `default:"2000" unit:"sessions a second, 0 for no bound" group:"Admission" help:"Most sessions that begin on this edge in a second. What is over it gets 503 with Retry-After; stock clients try again by themselves."`
	AddressRate    float64  `default:"0" unit:"sessions a second, 0 for no bound" group:"Admission" help:"Most sessions that one client address begins on this edge in a second."`
	TrustedProxies []string `name:"trusted-proxy" unit:"addresses or prefixes, comma separated" group:"Admission" help:"Proxies whose X-Forwarded-For is believed."`
	UserSockets    int      `default:"0" unit:"sockets, 0 for no bound" group:"Admission" help:"Most sockets of one user in guilds, on this edge."`
	GuildRate      int      `default:"0" unit:"sockets a second, 0 for no bound" group:"Admission" help:"Most sockets that join one guild in a second, in the whole cluster by way of Redis. A client that is refused must try again itself, after the connect_error's retryAfterMs."`
	GuildSockets   int      `default:"0" unit:"sockets, 0 for no bound" group:"Admission" help:"Most sockets in one guild, in the whole cluster by way of Redis."`

	Recovery            time.Duration  `default:"2m" group:"Recovery" help:"Time after its loss in which a client gets what it missed when it comes back; later, a new handshake. 0: never. The fanouts must keep events for longer."`
	RecoveryRooms       bool           `default:"true" negatable:"" group:"Recovery" help:"Remember in Redis, for clients that come back, the rooms that somebody has let them join."`
	RecoveryGuildBytes  settings.Bytes `default:"16MiB" group:"Recovery" help:"Most events of one guild kept for clients that come back, and sent to one of them, as far as max-queue has room for them."`
	RecoveryGuildEvents int            `default:"2048" unit:"events" group:"Recovery" help:"Most events of one guild likewise. Less than half of max-queue-packets, so that a client can be sent them."`
	RecoveryBytes       settings.Bytes `default:"256MiB" group:"Recovery" help:"Most events of all guilds kept for clients that come back."`

	CommandTimeout time.Duration  `default:"5s" group:"Commands" help:"Time a bot has to answer a command."`
	CommandsAtOnce int            `default:"16" unit:"commands" group:"Commands" help:"Commands of one socket without answer at the same time."`
	CommandArgs    int            `default:"16" unit:"arguments" group:"Commands" help:"Most arguments of one command."`
	CommandSize    settings.Bytes `default:"256KiB" group:"Commands" help:"Largest arguments of one command, together."`

	CommandRateSocket float64 `default:"10" unit:"commands a second, 0 for no bound" group:"Commands" help:"Commands of one socket; twice as many at once. One too many is answered with \"rate limited\"."`
	CommandRateUser   float64 `default:"20" unit:"commands a second, 0 for no bound" group:"Commands" help:"Commands of one user, in all guilds, on this edge."`
	CommandRateGuild  float64 `default:"100" unit:"commands a second, 0 for no bound" group:"Commands" help:"Commands of one guild on this edge."`
	CommandStrikes    int     `default:"50" unit:"commands, 0 for never" group:"Commands" help:"Commands of one socket in a minute over its own or its user's rate, after which it is disconnected from the guild."`

	service.RedisSettings
	service.RoomSettings

	Auth               string        `default:"discord" enum:"discord,jwt,insecure-dev" group:"Authentication" help:"Who says who a user is; jwt is a backend of one's own that signs tokens, insecure-dev believes everybody, on loopback only."`
	Members            string        `name:"auth-members" default:"bot-token" enum:"bot-token,user-token,bot,token" group:"Authentication" help:"Who says whether a user is in a guild: Discord, asked with the bot's token or with the user's own; the bot itself, which must answer for members; or the JWT."`
	DiscordURL         string        `default:"https://discord.com/api/v10" unit:"URL" group:"Authentication" help:"Discord's API."`
	DiscordApplication uint64        `default:"0" unit:"id, 0 for any" group:"Authentication" help:"Application that users' tokens must be issued to; with one, the end of a token is known too."`
	DiscordBotToken    string        `secret:"" group:"Authentication" help:"Token of the bot whose guilds these are."`
	DiscordTimeout     time.Duration `default:"5s" group:"Authentication" help:"Time Discord has to answer."`
	DiscordInvalid     int           `default:"1000" unit:"calls in 10 minutes" group:"Authentication" help:"Most calls that Discord may count as invalid (401, 403, 429), before unknown tokens are put off; at 10000 it bars the address."`
	JWTSecret          string        `name:"jwt-secret" secret:"" unit:"text of 32 bytes or more" group:"Authentication" help:"Secret shared with the backend that signs tokens (HS256). Empty: jwt-keys are used."`
	JWTKeys            string        `name:"jwt-keys" unit:"URL" group:"Authentication" help:"JSON Web Key Set of the backend that signs tokens."`
	JWTAlgorithms      []string      `name:"jwt-algorithms" group:"Authentication" help:"Algorithms believed. Empty: HS256 with jwt-secret; RS256, ES256 and EdDSA with jwt-keys."`
	JWTAudience        string        `name:"jwt-audience" unit:"name" group:"Authentication" help:"Audience (aud) that tokens must be for. Empty: any."`
	JWTIssuer          string        `name:"jwt-issuer" unit:"name" group:"Authentication" help:"Issuer (iss) that tokens must be from. Empty: any."`
	JWTLeeway          time.Duration `name:"jwt-leeway" default:"10s" group:"Authentication" help:"Difference allowed between the clocks."`
	JWTUser            string        `name:"jwt-user" default:"sub" unit:"claim" group:"Authentication" help:"Claim that holds the user's Discord id."`
	JWTGuilds          string        `name:"jwt-guilds" default:"guilds" unit:"claim" group:"Authentication" help:"Claim that lists the guilds the user may listen to, with auth-members token."`
	AuthCache          bool          `default:"true" negatable:"" group:"Authentication" help:"Remember answers; without, every join asks."`
	AuthShared         bool          `default:"true" negatable:"" group:"Authentication" help:"Keep answers in Redis too, sealed with cluster-key, where both are set."`
	AuthEntries        int           `default:"1000" unit:"entries" group:"Authentication" help:"Users, and as many memberships, remembered."`
	AuthTTL            time.Duration `name:"auth-ttl" default:"5m" group:"Authentication" help:"Time a positive answer is believed."`
	AuthRefusedTTL     time.Duration `name:"auth-refused-ttl" default:"15m" group:"Authentication" help:"Time a refused token stays refused without asking."`
	AuthAbsentTTL      time.Duration `name:"auth-absent-ttl" default:"30s" group:"Authentication" help:"Time a user who is no member stays none without asking."`
	AuthStale          time.Duration `default:"1h" unit:"duration, 0 for not at all" group:"Authentication" help:"Time beyond auth-ttl that a positive answer counts while nobody can be asked."`
	AuthRecheck        time.Duration `default:"30m" unit:"duration, 0 for never" group:"Authentication" help:"Time after which it is asked again whether a connected user may still listen; a token's known end counts in any case."`

	DrainDelay time.Duration `default:"2s" group:"Stopping" help:"Time between SIGTERM and the first client that is moved away: until then balancers see that this edge is not ready, and clients are still accepted."`
	Drain      time.Duration `default:"15s" group:"Stopping" help:"Time over which clients are moved to other edges, where they are recovered. What is left is cut."`
	Grace      time.Duration `default:"10s" group:"Stopping" help:"Time each further step of stopping may take."`

	RelayCA   string `name:"relay-ca" unit:"path" group:"Cluster" help:"Authorities (PEM) that other edges' certificates must be from, where they have tls-cert. Empty: the system's."`
	RelayName string `name:"relay-name" unit:"host" group:"Cluster" help:"Name that those certificates must hold. Empty: the advertised address."`

	Rebalance         float64       `default:"0" unit:"such as 0.2, 0 for never" group:"Cluster" help:"How far above the mean of all edges' sessions this edge's may be, before it moves some away. Needs Redis. See also POST /admin/rebalance?fraction=0.2&over=30s of the admin address."`
	RebalanceRate     float64       `default:"100" unit:"sessions a second" group:"Cluster" help:"Most sessions that are moved for that."`
	RebalanceInterval time.Duration `default:"5s" group:"Cluster" help:"Time between two comparisons with the other edges."`

	tracing.Traces

	AdminUIPassword    string   `name:"admin-ui-password" secret:"" unit:"bcrypt hash" group:"Admin UI" help:"Let the Socket.IO Admin UI connect to namespace /admin with this password, given as a bcrypt hash. Empty: there is no such namespace."`
	AdminUIUser        string   `name:"admin-ui-user" default:"admin" unit:"name" group:"Admin UI" help:"User name it is given with the password."`
	AdminUIOrigins     []string `name:"admin-ui-origins" default:"https://admin.socket.io" group:"Admin UI" help:"Browser origins of the page, allowed beside origins as long as the password is set."`
	AdminUIReadonly    bool     `name:"admin-ui-readonly" group:"Admin UI" help:"Pages look and do nothing: no emits, joins, leaves and disconnects."`
	AdminUIDevelopment bool     `name:"admin-ui-development" group:"Admin UI" help:"Pages see each socket, room and event, a thousand sockets and 500 events a second at most, instead of numbers alone. Costs more for each event."`

	service.Logging
	service.Scheduling
	service.Probing
}

// AdminAddress is where a running one is asked how it is.
func (s *Settings) AdminAddress() string { return s.Admin }

// Validate finds settings that are impossible, whoever decides who may listen. The error names them.
func (s *Settings) Validate() error {
	for name, d := range map[string]time.Duration{
		"ping-interval": s.PingInterval, "ping-timeout": s.PingTimeout, "upgrade-timeout": s.UpgradeTimeout,
		"connect-timeout": s.ConnectTimeout, "discovery": s.Discovery, "linger": s.Linger, "join-wait": s.JoinWait,
		"command-timeout": s.CommandTimeout, "discord-timeout": s.DiscordTimeout, "auth-ttl": s.AuthTTL,
		"auth-refused-ttl": s.AuthRefusedTTL, "auth-absent-ttl": s.AuthAbsentTTL, "grace": s.Grace,
	} {
		if d <= 0 {
			return fmt.Errorf("%s: %s, must be more than 0", name, d)
		}
	}
	for name, n := range map[string]int64{
		"recovery-guild-bytes": int64(s.RecoveryGuildBytes), "recovery-bytes": int64(s.RecoveryBytes),
		"max-queue-packets": int64(s.MaxQueuePackets), "recovery-guild-events": int64(s.RecoveryGuildEvents),
		"max-payload": int64(s.MaxPayload), "max-queue": int64(s.MaxQueue), "commands-at-once": int64(s.CommandsAtOnce),
		"command-args": int64(s.CommandArgs), "command-size": int64(s.CommandSize), "auth-entries": int64(s.AuthEntries),
		"discord-invalid": int64(s.DiscordInvalid),
	} {
		if n <= 0 {
			return fmt.Errorf("%s: %d, must be more than 0", name, n)
		}
	}
	if s.CommandRateSocket < 0 || s.CommandRateUser < 0 || s.CommandRateGuild < 0 || s.CommandStrikes < 0 {
		return fmt.Errorf("command-rate-socket, -user, -guild, command-strikes: %v, %v, %v and %d, must not be negative",
			s.CommandRateSocket, s.CommandRateUser, s.CommandRateGuild, s.CommandStrikes)
	}
	if s.AuthStale < 0 || s.AuthRecheck < 0 {
		return fmt.Errorf("auth-stale, auth-recheck: %s and %s, must not be negative", s.AuthStale, s.AuthRecheck)
	}
	if s.ConnectRate < 0 || s.AddressRate < 0 || s.UserSockets < 0 || s.GuildRate < 0 || s.GuildSockets < 0 {
		return errors.New("connect-rate, address-rate, user-sockets, guild-rate, guild-sockets: must not be negative")
	}
	if s.RecoveryGuildEvents >= s.MaxQueuePackets/2 {
		return fmt.Errorf("recovery-guild-events: %d, must be less than half of max-queue-packets, which is %d", s.RecoveryGuildEvents, s.MaxQueuePackets)
	}
	if s.DrainDelay < 0 || s.Drain <= 0 {
		return fmt.Errorf("drain-delay, drain: %s and %s, must not be negative, and drain more than 0", s.DrainDelay, s.Drain)
	}
	if s.Rebalance < 0 || s.RebalanceRate <= 0 || s.RebalanceInterval < 100*time.Millisecond {
		return fmt.Errorf("rebalance, rebalance-rate, rebalance-interval: %v, %v and %s, must be 0 or more, more than 0, and 100ms or more", s.Rebalance, s.RebalanceRate, s.RebalanceInterval)
	}
	if s.Recovery < 0 || s.Recovery > 24*time.Hour {
		return fmt.Errorf("recovery: %s, must be 0 to 24h", s.Recovery)
	}
	if len(s.Transports) == 0 {
		return errors.New("transports: at least one is needed")
	}
	if s.MaxSessions < 0 {
		return fmt.Errorf("max-sessions: %d, must not be negative", s.MaxSessions)
	}
	if s.CompressionLevel < 1 || s.CompressionLevel > 9 {
		return fmt.Errorf("compression-level: %d, must be 1 to 9", s.CompressionLevel)
	}
	if s.Advertise != "" {
		if _, _, err := net.SplitHostPort(s.Advertise); err != nil {
			return fmt.Errorf("advertise: %q, must be host:port", s.Advertise)
		}
	}
	for name, origins := range map[string][]string{"origins": s.Origins, "admin-ui-origins": s.AdminUIOrigins} {
		for _, origin := range origins {
			if !isOrigin(origin) && len(origins) > 1 || !isOrigin(origin) && origin != "*" {
				return fmt.Errorf("%s: %q, must be as a browser sends it, such as https://example.com, or * alone", name, origin)
			}
		}
	}
	for i, key := range s.ClusterKeys {
		if len(key) < seal.MinSecret {
			return fmt.Errorf("cluster-key: number %d has %d bytes, must have %d or more (a comma ends a key)", i+1, len(key), seal.MinSecret)
		}
	}
	return s.Traces.Validate()
}

// validateAuth finds settings that the one who decides who may listen does not work with. It stands
// apart from Validate because the defaults alone do not name a bot.
func (s *Settings) validateAuth() error {
	switch s.Auth {
	case "discord":
		if s.DiscordBotToken == "" && s.Members == "bot-token" {
			return errors.New("discord-bot-token: needed with auth-members bot-token")
		}
		if s.Members == "token" {
			return errors.New("auth-members: token needs auth jwt")
		}
	case "jwt":
		if (s.JWTSecret == "") == (s.JWTKeys == "") {
			return errors.New("jwt-secret, jwt-keys: one of them is needed with auth jwt")
		}
		if s.Members == "user-token" {
			return errors.New("auth-members: user-token needs auth discord")
		}
		if s.DiscordBotToken == "" && s.Members == "bot-token" {
			return errors.New("discord-bot-token: needed with auth-members bot-token")
		}
		if s.JWTLeeway < 0 {
			return fmt.Errorf("jwt-leeway: %s, must not be negative", s.JWTLeeway)
		}
	case "insecure-dev":
		if !isLoopback(s.Listen) {
			return fmt.Errorf("auth: insecure-dev believes everybody, so listen must be on loopback, such as 127.0.0.1:8080, not %q", s.Listen)
		}
	default:
		return fmt.Errorf("auth: %q, must be discord, jwt or insecure-dev", s.Auth)
	}
	return nil
}

// isOrigin tells whether a browser can be from there: scheme, host and port, or the "null" of a local file.
func isOrigin(text string) bool {
	u, err := url.Parse(text)
	return text == "null" || err == nil && u.Host != "" && u.Scheme+"://"+u.Host == text
}

// isLoopback tells whether only this machine reaches the address.
func isLoopback(address string) bool {
	host, _, err := net.SplitHostPort(address)
	ip := net.ParseIP(host)
	return err == nil && (host == "localhost" || ip != nil && ip.IsLoopback())
}
