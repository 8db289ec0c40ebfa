// Package rooms answers bots who listens to a guild, and acts on the listeners: RoomsService, whose
// promises stand in proto/pona/rooms/v1.
//
// It visits the guild's namespace as Socket.IO servers do, through the adapter, and is none itself.
package rooms

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strconv"
	"strings"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/pona-realtime/pona/pkg/adapter"
	"github.com/pona-realtime/pona/pkg/player"
	botv1 "github.com/pona-realtime/pona/proto/pona/bot/v1"
	roomsv1 "github.com/pona-realtime/pona/proto/pona/rooms/v1"
)

const maxRooms = 100

// Revoker tells the edges that a user may no longer listen (package revoke).
type Revoker interface {
	Revoke(context.Context, *botv1.RevokeRequest) (*botv1.RevokeResponse, error)
}

// Server answers. Its node is nil without Redis.
type Server struct {
	roomsv1.UnimplementedRoomsServiceServer
	node    *adapter.Node
	revoker Revoker
}

// NewServer makes a server for a node, which may be nil.
func NewServer(node *adapter.Node, revoker Revoker) *Server {
	return &Server{node: node, revoker: revoker}
}

// visit goes into a guild's namespace; leave must follow.
func (s *Server) visit(guildID uint64) (cluster *adapter.Cluster, leave func(), err error) {
	if s.node == nil {
		return nil, nil, status.Error(codes.Unavailable, "this fanout is in no cluster of Socket.IO servers: redis-url is not set, or adapter is off")
	}
	if guildID == 0 {
		return nil, nil, status.Error(codes.InvalidArgument, "guild_id: must not be 0")
	}
	cluster = s.node.Visit("/guild/" + strconv.FormatUint(guildID, 10))
	return cluster, cluster.Leave, nil
}

// Count counts listeners.
func (s *Server) Count(ctx context.Context, r *roomsv1.CountRequest) (*roomsv1.CountResponse, error) {
	listeners, reach, err := s.fetch(ctx, r.GetGuildId(), "")
	if err != nil {
		return nil, err
	}
	users := map[uint64]struct{}{}
	for _, l := range listeners {
		users[l.GetUserId()] = struct{}{}
	}
	delete(users, 0) // nobody knows whose
	return &roomsv1.CountResponse{Sockets: uint32(len(listeners)), Users: uint32(len(users)), Reach: reach}, nil
}

// List names listeners, in the order of their users.
func (s *Server) List(ctx context.Context, r *roomsv1.ListRequest) (*roomsv1.ListResponse, error) {
	listeners, reach, err := s.fetch(ctx, r.GetGuildId(), r.GetRoom())
	if err != nil {
		return nil, err
	}
	return &roomsv1.ListResponse{Listeners: listeners, Reach: reach}, nil
}

func (s *Server) fetch(ctx context.Context, guildID uint64, room string) ([]*roomsv1.Listener, *roomsv1.Reach, error) {
	cluster, leave, err := s.visit(guildID)
	if err != nil {
		return nil, nil, err
	}
	defer leave()
	if len(room) > player.MaxRoom {
		return nil, nil, status.Errorf(codes.InvalidArgument, "room: %d bytes, must be at most %d", len(room), player.MaxRoom)
	}
	var target adapter.Target
	if room != "" {
		target.Rooms = []string{room}
	}
	sockets, servers, err := cluster.FetchFrom(ctx, target)
	reach := &roomsv1.Reach{Answered: uint32(servers), Expected: uint32(servers)}
	var incomplete *adapter.Incomplete
	switch {
	case errors.As(err, &incomplete):
		reach = &roomsv1.Reach{Answered: uint32(incomplete.Answered), Expected: uint32(incomplete.Expected), Partial: true, Missing: incomplete.Missing}
	case err != nil:
		return nil, nil, unavailable(err)
	}
	listeners := make([]*roomsv1.Listener, len(sockets))
	for i, socket := range sockets {
		listeners[i] = &roomsv1.Listener{SocketId: socket.ID, Rooms: socket.Rooms, UserId: userOf(socket.Rooms)}
	}
	slices.SortFunc(listeners, func(a, b *roomsv1.Listener) int {
		return cmp.Or(cmp.Compare(a.UserId, b.UserId), strings.Compare(a.SocketId, b.SocketId))
	})
	return listeners, reach, nil
}

// userOf finds the user by the room that every listener of a kind of server joins.
func userOf(rooms []string) uint64 {
	prefix := strings.TrimSuffix(player.UserRoom(0), "0")
	for _, room := range rooms {
		if digits, ok := strings.CutPrefix(room, prefix); ok {
			if id, err := strconv.ParseUint(digits, 10, 64); err == nil {
				return id
			}
		}
	}
	return 0
}

// Join lets listeners join rooms.
func (s *Server) Join(ctx context.Context, r *roomsv1.JoinRequest) (*roomsv1.JoinResponse, error) {
	cluster, leave, err := s.visit(r.GetGuildId())
	if err != nil {
		return nil, err
	}
	defer leave()
	if err := checkMove(r.GetOf(), r.GetRooms()); err != nil {
		return nil, err
	}
	return &roomsv1.JoinResponse{}, unavailable(cluster.Tell(ctx, &adapter.Message{Kind: adapter.Join, Target: adapter.Target{Rooms: r.GetOf()}, Rooms: r.GetRooms()}))
}

// Leave lets listeners leave rooms.
func (s *Server) Leave(ctx context.Context, r *roomsv1.LeaveRequest) (*roomsv1.LeaveResponse, error) {
	cluster, leave, err := s.visit(r.GetGuildId())
	if err != nil {
		return nil, err
	}
	defer leave()
	if err := checkMove(r.GetOf(), r.GetRooms()); err != nil {
		return nil, err
	}
	return &roomsv1.LeaveResponse{}, unavailable(cluster.Tell(ctx, &adapter.Message{Kind: adapter.Leave, Target: adapter.Target{Rooms: r.GetOf()}, Rooms: r.GetRooms()}))
}

// notMember is the reason that clients are told where the bot gives none, as package revoke has it.
const notMember = "not a member of this guild"

// Disconnect ends a user's sockets. Edges are told by the fanouts, who have them forget the user too; the
// adapter reaches servers of other kinds, and says the reason first as edges do. It reaches edges as well:
// whichever way is faster, a client hears the reason before it is disconnected, and may hear it twice. One that is
// back at its edge between the two is disconnected again.
func (s *Server) Disconnect(ctx context.Context, r *roomsv1.DisconnectRequest) (*roomsv1.DisconnectResponse, error) {
	cluster, leave, err := s.visit(r.GetGuildId())
	if err != nil {
		return nil, err
	}
	defer leave()
	if r.GetUserId() == 0 {
		return nil, status.Error(codes.InvalidArgument, "user_id: must not be 0")
	}
	reason := cmp.Or(r.GetReason(), notMember)
	if _, err := s.revoker.Revoke(ctx, &botv1.RevokeRequest{GuildId: r.GetGuildId(), UserIds: []uint64{r.GetUserId()}, Reason: reason}); err != nil {
		return nil, err
	}
	event, _ := json.Marshal([]any{"revoked", map[string]string{"message": reason}}) // texts always have a JSON form
	user := adapter.Target{Rooms: []string{player.UserRoom(r.GetUserId())}}
	if err := cluster.Broadcast(user, adapter.Flags{}, adapter.Value{JSON: event}); err != nil {
		return nil, unavailable(err)
	}
	return &roomsv1.DisconnectResponse{}, unavailable(cluster.Tell(ctx, &adapter.Message{Kind: adapter.Disconnect, Target: user}))
}

// Emit sends an event.
func (s *Server) Emit(ctx context.Context, r *roomsv1.EmitRequest) (*roomsv1.EmitResponse, error) {
	cluster, leave, err := s.visit(r.GetGuildId())
	if err != nil {
		return nil, err
	}
	defer leave()
	if err := player.CheckEmit("event", r.GetEvent(), r.GetRoom(), r.GetArgs()); err != nil {
		return nil, status.Error(codes.InvalidArgument, err.Error())
	}
	var target adapter.Target
	if r.GetRoom() != "" {
		target.Rooms = []string{r.GetRoom()}
	}
	return &roomsv1.EmitResponse{}, unavailable(cluster.Tell(ctx, &adapter.Message{Kind: adapter.Broadcast, Target: target, Value: eventOf(r)}))
}

// eventOf is the list [event, arguments…] of a request that has been checked, the arguments as they were written.
func eventOf(r *roomsv1.EmitRequest) adapter.Value {
	var args []json.RawMessage
	_ = json.Unmarshal(r.GetArgs(), &args) // a list, or nothing
	name, _ := json.Marshal(r.GetEvent())
	text := append([]byte{'['}, name...)
	for _, a := range args {
		text = append(append(text, ','), a...)
	}
	return adapter.Value{JSON: append(text, ']')}
}

// checkMove finds what is wrong with rooms to join or to leave. The error names the field.
func checkMove(of, rooms []string) error {
	if n := len(rooms); n == 0 || n > maxRooms {
		return status.Errorf(codes.InvalidArgument, "rooms: %d, must be 1 to %d", n, maxRooms)
	}
	for field, list := range map[string][]string{"of": of, "rooms": rooms} {
		for i, room := range list {
			if len(room) == 0 || len(room) > player.MaxRoom {
				return status.Errorf(codes.InvalidArgument, "%s[%d]: %d bytes, must be 1 to %d", field, i, len(room), player.MaxRoom)
			}
		}
	}
	return nil
}

// unavailable makes an error of the adapter a status.
func unavailable(err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, adapter.ErrTooLarge): // and would be the next time
		return status.Error(codes.InvalidArgument, err.Error()+" (adapter-max-message)")
	}
	return status.Error(codes.Unavailable, err.Error())
}
