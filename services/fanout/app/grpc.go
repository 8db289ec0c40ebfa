package app

import (
	"context"
	"errors"
	"maps"
	"math"
	"slices"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	grpchealth "google.golang.org/grpc/health"
	healthv1 "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/keepalive"
	"google.golang.org/grpc/reflection"
	"google.golang.org/grpc/status"

	botv1 "github.com/pona-realtime/pona/proto/pona/bot/v1"
	edgev1 "github.com/pona-realtime/pona/proto/pona/edge/v1"
	roomsv1 "github.com/pona-realtime/pona/proto/pona/rooms/v1"
	"github.com/pona-realtime/pona/services/fanout/commands"
	"github.com/pona-realtime/pona/services/fanout/ingest"
	"github.com/pona-realtime/pona/services/fanout/owner"
	"github.com/pona-realtime/pona/services/fanout/revoke"
	"github.com/pona-realtime/pona/services/fanout/route"
)

// Keepalive notices a bot or edge that vanished without a word within the sum of the first two.
// Edges ping every 10 s (services/edge/link), bots may as often as the third says.
const (
	keepaliveTime    = 10 * time.Second
	keepaliveTimeout = 5 * time.Second
	keepaliveMinimum = 5 * time.Second
)

// maxRequest bounds what one request of a bot takes in memory. It is above the largest event, so
// that a somewhat larger one is refused by name and not by gRPC.
const maxRequest = 64 << 20

// window is what a bot or an edge may send before it has been taken, in bytes; fixed, because gRPC's own way of finding one sends a ping with each message of a
// stream that is not busy, which doubles the cost of an event.
const window = 1 << 20

func (a *App) newGRPC() *grpc.Server {
	security := insecure.NewCredentials()
	if a.tls != nil {
		security = credentials.NewTLS(a.tls)
	}
	server := grpc.NewServer(append(append(a.bots.options(), a.tracer.ServerOptions()...),
		grpc.Creds(security),
		grpc.MaxRecvMsgSize(maxRequest),
		grpc.MaxSendMsgSize(math.MaxInt32),
		grpc.StaticStreamWindowSize(window), grpc.StaticConnWindowSize(4*window),
		grpc.KeepaliveParams(keepalive.ServerParameters{Time: keepaliveTime, Timeout: keepaliveTimeout}),
		grpc.KeepaliveEnforcementPolicy(keepalive.EnforcementPolicy{MinTime: keepaliveMinimum, PermitWithoutStream: true}),
		grpc.StatsHandler(ingest.Connections{}),
		grpc.WaitForHandlers(true),
	)...)
	botv1.RegisterBotServiceServer(server, botService{ingest: a.ingest, commands: a.commands, revoke: a.revoke})
	edgev1.RegisterEdgeServiceServer(server, edgeService{route: a.route, owner: a.owner, commands: a.commands})
	roomsv1.RegisterRoomsServiceServer(server, a.who)
	a.tellHealth(server)
	reflection.Register(server)
	return server
}

// tellHealth answers grpc.health.v1 for the server as a whole and for each service registered so far as /readyz does. Watches
// hear of changes; the last is that the fanout stops.
func (a *App) tellHealth(server *grpc.Server) {
	services := append(slices.Collect(maps.Keys(server.GetServiceInfo())), "")
	told := grpchealth.NewServer()
	a.health.OnChange(func(ready bool) {
		now := healthv1.HealthCheckResponse_NOT_SERVING
		if ready {
			now = healthv1.HealthCheckResponse_SERVING
		}
		for _, service := range services {
			told.SetServingStatus(service, now)
		}
	})
	healthv1.RegisterHealthServer(server, told)
}

// botService is BotService out of three packages.
type botService struct {
	botv1.UnimplementedBotServiceServer
	ingest   *ingest.Server
	commands *commands.Server
	revoke   *revoke.Server
}

func (s botService) Publish(ctx context.Context, r *botv1.PublishRequest) (*botv1.PublishResponse, error) {
	return s.ingest.Publish(ctx, r)
}

func (s botService) PublishStream(call grpc.BidiStreamingServer[botv1.PublishStreamRequest, botv1.PublishStreamResponse]) error {
	return s.ingest.PublishStream(call)
}

func (s botService) ServeCommands(call grpc.BidiStreamingServer[botv1.ServeCommandsRequest, botv1.ServeCommandsResponse]) error {
	return s.commands.ServeCommands(call)
}

func (s botService) Revoke(ctx context.Context, r *botv1.RevokeRequest) (*botv1.RevokeResponse, error) {
	return s.revoke.Revoke(ctx, r)
}

// edgeService is EdgeService out of two packages.
type edgeService struct {
	edgev1.UnimplementedEdgeServiceServer
	route    *route.Server
	owner    *owner.Owner
	commands *commands.Server
}

func (s edgeService) Deliver(call grpc.BidiStreamingServer[edgev1.DeliverRequest, edgev1.DeliverResponse]) error {
	return s.route.Deliver(call)
}

func (s edgeService) Dispatch(ctx context.Context, r *edgev1.DispatchRequest) (*edgev1.DispatchResponse, error) {
	return s.commands.Dispatch(ctx, r)
}

func (s edgeService) FindMember(ctx context.Context, r *edgev1.FindMemberRequest) (*edgev1.FindMemberResponse, error) {
	return s.commands.FindMember(ctx, r)
}

func (s edgeService) Replay(ctx context.Context, r *edgev1.ReplayRequest) (*edgev1.ReplayResponse, error) {
	response, err := s.owner.Recall(ctx, r)
	switch {
	case err == nil:
		return response, nil
	case errors.Is(err, owner.ErrNotKept):
		return nil, status.Error(codes.OutOfRange, err.Error())
	case ctx.Err() != nil:
		return nil, status.FromContextError(ctx.Err()).Err()
	}
	return nil, status.Error(codes.Unavailable, err.Error())
}
