// Package app puts an edge together from its parts, runs it and stops it.
//
//	clients ──▶ HTTP ──▶ relay ──▶ socketio ──▶ gateway ──▶ guild ◀── link ◀──▶ fanouts
//	                                              └──▶ auth ──▶ Discord
package app

import (
	"context"
	"crypto/tls"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"slices"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/pona-realtime/pona/pkg/engineio"
	"github.com/pona-realtime/pona/pkg/health"
	"github.com/pona-realtime/pona/pkg/metrics"
	"github.com/pona-realtime/pona/pkg/service"
	"github.com/pona-realtime/pona/pkg/settings"
	"github.com/pona-realtime/pona/pkg/socketio"
	"github.com/pona-realtime/pona/pkg/socketio/adminui"
	"github.com/pona-realtime/pona/pkg/tracing"
	"github.com/pona-realtime/pona/services/edge/admission"
	"github.com/pona-realtime/pona/services/edge/auth"
	"github.com/pona-realtime/pona/services/edge/gateway"
	"github.com/pona-realtime/pona/services/edge/guild"
	"github.com/pona-realtime/pona/services/edge/link"
	"github.com/pona-realtime/pona/services/edge/relay"
)

// App is one edge.
type App struct {
	settings Settings
	log      *slog.Logger
	id       string // unique in the cluster

	health   *health.Health
	running  *health.Condition
	registry *prometheus.Registry
	summary  *metrics.Summary
	warnings *service.Warnings
	tracer   *tracing.Tracer // nil without tracing

	clients, admin net.Listener
	tls            *tls.Config // of clients; nil without TLS

	redis   *service.Redis // nil without Redis
	rooms   *service.Rooms // nil without the other servers
	auth    auth.Authenticator
	links   *link.Links
	guilds  *guild.Cache
	server  *socketio.Server
	gateway *gateway.Gateway
	adminUI *adminui.AdminUI // nil where it is off

	keptRooms *gateway.KeptRooms // nil where nothing keeps them
	relay     *relay.Relay

	admission *admission.Admission
}

// New puts an edge together and listens, but serves nobody yet: Run must follow. The error is one
// line that names the setting.
func New(s Settings, log *slog.Logger) (*App, error) {
	if err := s.Validate(); err != nil {
		return nil, err
	}
	if err := s.validateAuth(); err != nil {
		return nil, err
	}
	log, warnings := service.Keep(log)
	h := health.New()
	a := &App{settings: s, log: log, health: h, running: h.Condition("running"), warnings: warnings,
		registry: metrics.NewRegistry(Program.Name, settings.BuildOf(Program))}
	var err error
	if a.tls, err = a.clientTLS(); err != nil {
		return nil, err
	}
	if err := a.listen(); err != nil {
		return nil, err
	}
	if err := a.build(); err != nil {
		a.abandon()
		return nil, err
	}
	a.summary = metrics.NewSummary(a.registry, summarize)
	return a, nil
}

// abandon closes what build has made before it met an error; nothing is in use yet.
func (a *App) abandon() {
	_ = a.clients.Close()
	_ = a.admin.Close()
	if a.server != nil {
		_ = a.server.Close(context.Background()) // has no session to wait for
	}
	if a.gateway != nil {
		a.gateway.Close()
	}
	if a.auth != nil {
		a.auth.Close()
	}
	a.keptRooms.Close()
	_ = service.CloseRedis(a.rooms, a.redis)
	_ = a.tracer.Close(context.Background()) // has no span to send
}

func (a *App) listen() (err error) {
	if a.clients, err = net.Listen("tcp", a.settings.Listen); err != nil {
		return fmt.Errorf("listen: %w", err)
	}
	if a.admin, err = net.Listen("tcp", a.settings.Admin); err != nil {
		_ = a.clients.Close()
		return fmt.Errorf("admin: %w", err)
	}
	return nil
}

// build makes the parts, from the fanouts up to the clients, and introduces them to each other.
func (a *App) build() (err error) {
	s := a.settings
	advertise := s.Advertise
	if advertise == "" {
		advertise = reachable(a.clients.Addr())
	}
	if a.id = s.ID; a.id == "" {
		a.id = "edge " + advertise
	}
	if a.tracer, err = tracing.New(s.Traces, tracing.Process{Name: "pona-edge", Version: settings.BuildOf(Program).Version, ID: a.id}, a.component("tracing")); err != nil {
		return err
	}
	if s.Redis != "" {
		if a.redis, err = service.NewRedis(s.RedisSettings, a.health.Condition("redis"), a.registry, a.component("redis")); err != nil {
			return err
		}
		if a.rooms, err = a.redis.JoinRooms(s.RoomSettings, false, a.registry); err != nil {
			return err
		}
	}
	secrets := a.clusterSecrets()
	if a.auth, err = a.authenticator(); err != nil {
		return err
	}
	toEdges, err := a.relayTLS()
	if err != nil {
		return err
	}
	if a.relay, err = relay.New(relay.Options{
		Self:    a.origin(advertise),
		TLS:     toEdges,
		Secrets: secrets,
		Next:    http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { a.server.ServeHTTP(w, r) }),
		Log:     a.component("relay"),
		Metrics: a.registry,
	}); err != nil {
		return err
	}
	if a.admission, err = a.newAdmission(); err != nil {
		return err
	}
	recovery, err := a.recovery(secrets)
	if err != nil {
		return err
	}
	a.server = socketio.NewServer(a.socketOptions(recovery))
	a.registry.MustRegister(socketStats(a.server.Stats), admissionStats{a.admission})
	a.gateway = gateway.New(a.server, gateway.Options{
		Authorize:      a.authorize,
		Recheck:        s.AuthRecheck,
		Forget:         a.auth.Forget,
		Admit:          a.admit,
		Recovery:       recovery,
		CommandTimeout: s.CommandTimeout,
		CommandsAtOnce: s.CommandsAtOnce,
		ArgumentCount:  s.CommandArgs,
		ArgumentBytes:  int(s.CommandSize),
		Rates: gateway.Rates{
			Socket: s.CommandRateSocket, User: s.CommandRateUser, Guild: s.CommandRateGuild, Strikes: s.CommandStrikes,
		},
		Log:     a.component("gateway"),
		Metrics: a.registry,
		Tracer:  a.tracer,
	})
	if a.adminUI, err = a.newAdminUI(secrets); err != nil {
		return err
	}
	a.guilds = guild.NewCache(a.gateway, guild.Options{
		Linger: s.Linger, Wait: s.JoinWait, Log: a.component("guild"), Metrics: a.registry,
		History: guild.HistoryOptions{Window: s.Recovery, GuildBytes: int(s.RecoveryGuildBytes), Guild: s.RecoveryGuildEvents, Bytes: int(s.RecoveryBytes)},
	})
	connected := a.health.Condition("fanout")
	toFanouts, err := service.ClientTLS{Setting: "fanout", CA: s.FanoutCA, Cert: s.FanoutCert, Key: s.FanoutKey, Name: s.FanoutName, Log: a.log}.Credentials()
	if err != nil {
		return err
	}
	if a.links, err = link.New(a.guilds, link.Options{
		Security:  toFanouts,
		EdgeID:    a.id,
		Fanouts:   s.Fanouts,
		Discovery: s.Discovery,
		Timeout:   s.CommandTimeout,
		Log:       a.component("link"),
		Metrics:   a.registry,
		Tracer:    a.tracer,
		Revoked:   a.revoked,
		Connected: func(yes bool) {
			if !yes {
				connected.Down(fmt.Sprintf("none of %v is connected", s.Fanouts))
				return
			}
			connected.Up()
		},
	}); err != nil {
		return err
	}
	a.guilds.Connect(a.links)
	a.gateway.Open(a.guilds, a.links)
	return nil
}

// recovery lets clients come back; nil where the settings don't.
func (a *App) recovery(secrets [][]byte) (*gateway.Recovery, error) {
	if a.settings.Recovery == 0 {
		return nil, nil
	}
	if a.redis != nil && a.settings.RecoveryRooms {
		a.keptRooms = gateway.KeepRooms(a.redis.Client, a.component("recovery"))
	}
	return gateway.NewRecovery(a.keptRooms, secrets...)
}

func (a *App) socketOptions(recovery *gateway.Recovery) socketio.Options {
	s := a.settings
	options := socketio.Options{
		ConnectTimeout: s.ConnectTimeout, MaxPacket: int64(s.MaxPayload), NamespaceLinger: s.Linger, HideCredentials: true,
		OnError: func(err error) { a.component("socketio").Warn("a client's session", "error", err) },
		Engine: engineio.Options{
			Path:             socketPath,
			PingInterval:     s.PingInterval,
			PingTimeout:      s.PingTimeout,
			UpgradeTimeout:   s.UpgradeTimeout,
			MaxPayload:       int64(s.MaxPayload),
			MaxQueueBytes:    int(s.MaxQueue),
			MaxQueueFrames:   s.MaxQueuePackets,
			MaxSessions:      s.MaxSessions,
			DisablePolling:   !slices.Contains(s.Transports, "polling"),
			DisableWebSocket: !slices.Contains(s.Transports, "websocket"),
			HTTPCompression:  &engineio.HTTPCompression{Disabled: true},
			CORS: &engineio.CORS{
				Origins: s.Origins, Credentials: s.Credentials, Methods: []string{http.MethodGet, http.MethodPost},
				CredentialOrigins: s.adminUIOrigins(),
			},
			RequestHeaders: []string{"Authorization", "Cookie", "Origin", "User-Agent", "Forwarded", "X-Forwarded-For", "X-Real-Ip"},
			GenerateID:     a.relay.GenerateID,
		},
	}
	if a.rooms != nil {
		options.Cluster = a.rooms.Node
	}
	if recovery != nil { // a nil *Recovery is no nil Recovery
		options.Recovery = recovery
	}
	if s.Compression {
		options.Engine.HTTPCompression = &engineio.HTTPCompression{Threshold: int(s.CompressionMinimum), Level: s.CompressionLevel}
		options.Engine.PerMessageDeflate = &engineio.PerMessageDeflate{Threshold: int(s.CompressionMinimum), Level: s.CompressionLevel}
	}
	return options
}

// component is the log of a part.
func (a *App) component(name string) *slog.Logger { return a.log.With("component", name) }

// Ready is closed when the edge can take clients for the first time.
func (a *App) Ready() <-chan struct{} { return a.health.Once() }

// Addr is where clients connect.
func (a *App) Addr() string { return a.clients.Addr().String() }

// AdminAddr is where operators look.
func (a *App) AdminAddr() string { return a.admin.Addr().String() }
