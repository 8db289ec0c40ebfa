// Package gateway is the Socket.IO side of the edge: which namespaces there are, who may join them, what
// a client is told when it has joined, and the way of its commands.
//
// Its truth is the contract with existing web clients (§ How the web client connects, § Joining a guild
// namespace, § Client to server events). It knows neither Discord nor fanouts: app gives it an
// Authorize function, a Guilds and a Bots.
package gateway

import (
	"context"
	"encoding/json"
	"log/slog"
	"net/http"
	"sync"
	"time"

	"github.com/maypok86/otter/v2"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/pona-realtime/pona/pkg/socketio"
	"github.com/pona-realtime/pona/pkg/tracing"
	edgev1 "github.com/pona-realtime/pona/proto/pona/edge/v1"
)

// Options tunes a [Gateway].
type Options struct {
	// Authorize answers which user may join a guild, and until when, given the handshake's HTTP header
	// and the CONNECT's payload; a *socketio.ConnectError is what the client is refused with, [Unavailable]
	// where it may ask again. The guild is 0 where the namespace's name holds no guild id. Required.
	Authorize func(ctx context.Context, guildID uint64, header http.Header, payload json.RawMessage) (Grant, error)

	Recheck time.Duration                                     // after which a listener is asked about again; 0: only at its credentials' end
	Forget  func(ctx context.Context, userID, guildID uint64) // drops what Authorize remembers; nil: it remembers nothing

	// Admit lets an authorized user's socket into a guild, or answers why not; leave is called when it is
	// gone. nil admits everybody.
	Admit func(ctx context.Context, guildID, userID uint64) (leave func(), err error)

	Recovery       *Recovery     // the server's; nil: nobody comes back
	CommandTimeout time.Duration // from a command's coming to its acknowledgement; 0 means 5s
	CommandsAtOnce int           // of one socket, without answer yet; 0 means 16
	ArgumentCount  int           // of one command; 0 means 16
	ArgumentBytes  int           // of one command, as JSON; 0 means 262144
	Rates          Rates         // of commands; the zero value bounds nothing
	Log            *slog.Logger  // nil means none

	Metrics prometheus.Registerer // nil means none
	Tracer  *tracing.Tracer       // nil means none
}

// Guilds is what the gateway asks of the guilds' states; see package guild.
type Guilds interface {
	Hold(ctx context.Context, guildID uint64) error
	Release(guildID uint64)
	Enter(guildID, userID uint64, enter func(handshake *socketio.Packet))
	Return(ctx context.Context, guildID, since uint64, offset string, rooms []string, enter func(missed []*socketio.Packet)) bool
	Applied(ctx context.Context, guildID, sequence uint64)
	Sequence(guildID uint64) uint64
}

// Bots brings commands to the guilds' bots; see package link. The error is a gRPC status.
type Bots interface {
	Dispatch(ctx context.Context, command *edgev1.DispatchRequest) (*edgev1.DispatchResponse, error)
}

// Gateway owns the namespaces of a Socket.IO server.
type Gateway struct {
	options  Options
	server   *socketio.Server
	guilds   Guilds
	bots     Bots
	measured *measured
	users    buckets // of commands
	byGuild  buckets
	revoked  *otter.Cache[revocationKey, revocation] // of late

	ctx     context.Context // of commands under way
	cancel  context.CancelFunc
	running sync.WaitGroup // commands under way, and releases of guilds
}

// New makes a gateway; [Gateway.Open] comes before the server's first request.
func New(server *socketio.Server, options Options) *Gateway {
	if options.CommandTimeout <= 0 {
		options.CommandTimeout = 5 * time.Second
	}
	if options.CommandsAtOnce <= 0 {
		options.CommandsAtOnce = 16
	}
	if options.ArgumentCount <= 0 {
		options.ArgumentCount = 16
	}
	if options.ArgumentBytes <= 0 {
		options.ArgumentBytes = 256 << 10
	}
	if options.Admit == nil {
		options.Admit = func(context.Context, uint64, uint64) (func(), error) { return func() {}, nil }
	}
	if options.Log == nil {
		options.Log = slog.New(slog.DiscardHandler)
	}
	g := &Gateway{options: options, server: server, measured: newMeasured(options.Metrics)}
	g.users, g.byGuild = newBuckets(options.Rates.User), newBuckets(options.Rates.Guild)
	g.revoked = otter.Must(&otter.Options[revocationKey, revocation]{
		MaximumSize: maxRevoked, ExpiryCalculator: otter.ExpiryWriting[revocationKey, revocation](revocationAge),
	})
	g.ctx, g.cancel = context.WithCancel(context.Background())
	if r := options.Recovery; r != nil && r.rooms != nil {
		r.rooms.watch(server)
	}
	return g
}

// Open opens the namespaces.
func (g *Gateway) Open(guilds Guilds, bots Bots) {
	g.guilds, g.bots = guilds, bots
	if g.options.Recovery != nil {
		g.options.Recovery.guilds = guilds
	}
	root := g.server.Of("/")
	root.OnConnection(greet)
	listeners := g.server.OfRegexp(guildNamespace)
	listeners.Use(g.join)
	listeners.OnConnection(g.enter)
}

// Close ends commands under way and waits for what the gateway has started. The server has been
// closed before.
func (g *Gateway) Close() {
	g.cancel()
	g.running.Wait()
	g.revoked.StopAllGoroutines()
	g.users.close()
	g.byGuild.close()
}
