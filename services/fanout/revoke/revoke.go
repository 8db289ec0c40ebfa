// Package revoke tells every edge that users may no longer listen to a guild: Revoke of BotService, whose
// promises stand in the proto.
//
// Each fanout tells the edges that are connected to it, and the other fanouts, which do the same. An edge is
// connected to every fanout, so it hears it several times, and once though a stream be broken. Nothing is
// stored: an edge that hears nothing asks again in its own time.
package revoke

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"sync/atomic"

	"github.com/nats-io/nats.go"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	botv1 "github.com/pona-realtime/pona/proto/pona/bot/v1"
	edgev1 "github.com/pona-realtime/pona/proto/pona/edge/v1"
)

const (
	subject       = "fanout.revoked" // Revoked, from one fanout to all
	fromHeader    = "Pona-From"      // its id
	maxUsers      = 1000
	maxReason     = 128 // bytes
	defaultReason = "not a member of this guild"
)

// Edges are those connected to this fanout (package route).
type Edges interface {
	Tell(*edgev1.DeliverResponse) int
}

// Server tells them.
type Server struct {
	id    string
	edges Edges
	log   *slog.Logger
	nats  atomic.Pointer[nats.Conn] // nil until Listen
}

// NewServer makes the server of the fanout with that id, of the characters of a NATS header.
func NewServer(id string, edges Edges, log *slog.Logger) *Server {
	return &Server{id: id, edges: edges, log: log}
}

// Listen hears what other fanouts are told over the connection, until that is closed.
func (s *Server) Listen(nc *nats.Conn) error {
	_, err := nc.Subscribe(subject, func(msg *nats.Msg) {
		var revoked edgev1.Revoked
		if msg.Header.Get(fromHeader) == s.id {
			return
		}
		if err := proto.Unmarshal(msg.Data, &revoked); err != nil {
			s.log.Warn("a revocation that cannot be read", "from", msg.Header.Get(fromHeader), "error", err)
			return
		}
		s.tell(&revoked)
	})
	if err == nil {
		s.nats.Store(nc)
	}
	return err
}

// Revoke tells all edges; see BotService. Edges of other fanouts are told without waiting; where NATS cannot be
// reached, the edges of this one are told all the same.
func (s *Server) Revoke(_ context.Context, r *botv1.RevokeRequest) (*botv1.RevokeResponse, error) {
	if err := check(r); err != nil {
		return nil, status.Error(codes.InvalidArgument, err.Error())
	}
	revoked := &edgev1.Revoked{GuildId: r.GetGuildId(), UserIds: r.GetUserIds(), Reason: r.GetReason(), Check: r.GetCheck()}
	if revoked.Reason == "" {
		revoked.Reason = defaultReason
	}
	edges := s.tell(revoked)
	encoded, err := proto.Marshal(revoked)
	if err != nil {
		return nil, status.Error(codes.Internal, err.Error())
	}
	if nc := s.nats.Load(); nc != nil {
		err := nc.PublishMsg(&nats.Msg{Subject: subject, Header: nats.Header{fromHeader: {s.id}}, Data: encoded})
		if err != nil {
			s.log.Warn("a revocation did not reach the other fanouts", "guild", r.GetGuildId(), "error", err)
		}
	}
	return &botv1.RevokeResponse{Edges: uint32(edges)}, nil //nolint:gosec // as many as there are connections
}

func (s *Server) tell(revoked *edgev1.Revoked) int {
	return s.edges.Tell(&edgev1.DeliverResponse{Message: &edgev1.DeliverResponse_Revoked{Revoked: revoked}})
}

// check finds what is wrong with a request. The error names the field.
func check(r *botv1.RevokeRequest) error {
	if r.GetGuildId() == 0 {
		return fmt.Errorf("guild_id: must not be 0")
	}
	if n := len(r.GetUserIds()); n == 0 || n > maxUsers {
		return fmt.Errorf("user_ids: %d, must be 1 to %d", n, maxUsers)
	}
	if i := slices.Index(r.GetUserIds(), 0); i >= 0 {
		return fmt.Errorf("user_ids[%d]: must not be 0", i)
	}
	if n := len(r.GetReason()); n > maxReason {
		return fmt.Errorf("reason: %d bytes, must be at most %d", n, maxReason)
	}
	return nil
}
