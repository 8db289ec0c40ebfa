// Package app puts a fanout together from its parts, runs it and stops it.
//
//	bots ──▶ ingest ──▶ stream ──▶ owner ──▶ route ──▶ edges
//	bots ◀──▶ commands ◀── edges
package app

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"fmt"
	"log/slog"
	"net"
	"os"
	"regexp"
	"strings"
	"sync/atomic"

	"github.com/prometheus/client_golang/prometheus"
	"google.golang.org/grpc"

	"github.com/pona-realtime/pona/pkg/adapter"
	"github.com/pona-realtime/pona/pkg/health"
	"github.com/pona-realtime/pona/pkg/metrics"
	"github.com/pona-realtime/pona/pkg/quietnet"
	"github.com/pona-realtime/pona/pkg/service"
	"github.com/pona-realtime/pona/pkg/settings"
	"github.com/pona-realtime/pona/pkg/tracing"
	playerv1 "github.com/pona-realtime/pona/proto/pona/player/v1"
	"github.com/pona-realtime/pona/services/fanout/commands"
	"github.com/pona-realtime/pona/services/fanout/ingest"
	"github.com/pona-realtime/pona/services/fanout/owner"
	"github.com/pona-realtime/pona/services/fanout/revoke"
	"github.com/pona-realtime/pona/services/fanout/rooms"
	"github.com/pona-realtime/pona/services/fanout/route"
	"github.com/pona-realtime/pona/services/fanout/stream"
)

// App is one fanout.
type App struct {
	settings Settings
	log      *slog.Logger

	health   *health.Health
	running  *health.Condition
	registry *prometheus.Registry
	summary  *metrics.Summary
	warnings *service.Warnings
	tracer   *tracing.Tracer // nil without tracing

	listener, admin net.Listener
	tls             *tls.Config // of the listener; nil without TLS
	bots            *botTokens  // nil where bots need none
	grpc            *grpc.Server

	redis    *service.Redis // nil without Redis
	rooms    *service.Rooms // nil without the Socket.IO servers
	nats     *natsWatch
	stream   atomic.Pointer[stream.Stream] // nil until it is open
	ingest   *ingest.Server
	owner    *owner.Owner
	route    *route.Server
	commands *commands.Server
	revoke   *revoke.Server
	who      *rooms.Server
}

// New puts a fanout together and listens, but serves nobody yet: Run must follow. The error is one
// line that names the setting.
func New(s Settings, log *slog.Logger) (*App, error) {
	if err := s.Validate(); err != nil {
		return nil, err
	}
	if s.ID == "" {
		s.ID = newID()
	}
	log, warnings := service.Keep(log)
	h := health.New()
	a := &App{settings: s, log: log.With("fanout", s.ID), health: h, running: h.Condition("running"), warnings: warnings,
		registry: metrics.NewRegistry(Program.Name, settings.BuildOf(Program))}
	a.nats = newNATSWatch(s.NATS, s.ID, h.Condition("nats"), a.log)
	if err := a.prepare(); err != nil {
		a.abandon()
		return nil, err
	}
	a.build()
	return a, nil
}

// prepare does what may be refused.
func (a *App) prepare() (err error) {
	s := a.settings
	if s.Redis != "" {
		if a.redis, err = service.NewRedis(s.RedisSettings, a.health.Condition("redis"), a.registry, a.log); err != nil {
			return err
		}
		if a.rooms, err = a.redis.JoinRooms(s.RoomSettings, s.Mirror, a.registry); err != nil {
			return err
		}
	}
	if err := a.secure(); err != nil {
		return err
	}
	if a.tracer, err = tracing.New(s.Traces, tracing.Process{Name: "pona-fanout", Version: settings.BuildOf(Program).Version, ID: s.ID}, a.log); err != nil {
		return err
	}
	return a.listen()
}

// abandon closes what prepare has made before it met an error; nothing is in use yet.
func (a *App) abandon() {
	_ = service.CloseRedis(a.rooms, a.redis)
	_ = a.tracer.Close(context.Background())
}

// build makes the parts, the last in the way of an event first.
func (a *App) build() {
	s := a.settings
	var mirror func(uint64, *playerv1.Event)
	if a.rooms != nil && a.rooms.Mirror != nil {
		mirror = rooms.NewMirror(a.rooms.Mirror).Event
	}
	a.owner = owner.New(s.Partitions, owner.Options{
		Mirror: mirror,
		ID:     s.ID, LeaseTTL: s.LeaseTTL, CheckpointInterval: s.Checkpoint, StateTTL: s.StateTTL, EndedStateTTL: s.EndedTTL,
		MaxReplayBytes: int(s.Replay), Replicas: s.Replicas, Metrics: a.registry, Tracer: a.tracer,
	}, a.log)
	a.route = route.NewServer(a.owner, int(s.RouteQueue), a.registry, a.log)
	a.ingest = ingest.NewServer(a.stream.Load, s.StoreTimeout, a.registry, a.tracer)
	a.commands = commands.NewServer(commands.Options{
		FanoutID: s.ID, Timeout: s.CommandTimeout, Peers: a.owner.Peers, LastStored: ingest.LastStored,
		Metrics: a.registry, Tracer: a.tracer,
	}, a.log)
	a.measureLag()
	a.summary = metrics.NewSummary(a.registry, a.summarize)
	a.revoke = revoke.NewServer(s.ID, a.route, a.log)
	var node *adapter.Node
	if a.rooms != nil {
		node = a.rooms.Node
	}
	a.who = rooms.NewServer(node, a.revoke)
	a.grpc = a.newGRPC()
}

// secure reads certificates and tokens.
func (a *App) secure() (err error) {
	s := a.settings
	if a.tls, err = s.Config(a.log); err != nil {
		return err
	}
	if a.bots, err = newBotTokens(s.BotTokens, a.log); err != nil {
		return err
	}
	a.nats.tls, err = service.ClientTLS{Setting: "nats", CA: s.NATSCA, Cert: s.NATSCert, Key: s.NATSKey, Log: a.log}.Next()
	return err
}

func (a *App) listen() (err error) {
	listener, err := net.Listen("tcp", a.settings.GRPC)
	if err != nil {
		return fmt.Errorf("grpc: %w", err)
	}
	a.listener = quietnet.Listener{Listener: listener}
	if a.admin, err = net.Listen("tcp", a.settings.Admin); err != nil {
		_ = a.listener.Close()
		return fmt.Errorf("admin: %w", err)
	}
	return nil
}

// GRPCAddr is where bots and edges connect.
func (a *App) GRPCAddr() string { return a.listener.Addr().String() }

// AdminAddr is where health is asked.
func (a *App) AdminAddr() string { return a.admin.Addr().String() }

// Ready is closed once everything was up for the first time; what happens later, /readyz tells.
func (a *App) Ready() <-chan struct{} { return a.health.Once() }

var notForID = regexp.MustCompile(`[^A-Za-z0-9_-]+`)

// newID is the host's name and something random, for two fanouts may run on one host.
func newID() string {
	host, _ := os.Hostname() // empty will do
	host = strings.Trim(notForID.ReplaceAllString(host, "-"), "-")
	return strings.TrimPrefix(host[:min(len(host), 40)]+"-"+strings.ToLower(rand.Text()[:8]), "-")
}
