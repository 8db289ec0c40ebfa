package gateway

import (
	"context"
	"time"

	"github.com/pona-realtime/pona/pkg/player"
	"github.com/pona-realtime/pona/pkg/socketio"
	"github.com/pona-realtime/pona/services/edge/seal"
)

// Recovery lets listeners come back, on whichever edge, with nothing lost: a [socketio.Recovery].
//
// No edge remembers them; rooms beside every listener's are in Redis. A listener's pid is a sealed ticket, and an offset is the stream sequence of
// an event; what lies after it is sent from the guild's history or read from the stream. Whoever comes
// back is authorized as if for the first time, and gets no second handshake: it has the first, and
// everything since. Where something is gone, or another user comes with the ticket, the client joins
// anew, which it sees by recovered being false, and gets a handshake.
type Recovery struct {
	sealer *seal.Sealer
	rooms  *KeptRooms // nil: those of every listener alone
	guilds Guilds     // set by Gateway.Open
}

// NewRecovery makes a recovery for the server that [New] is given, and Options.Recovery. The first
// secret seals tickets; the others open those sealed before it came. Rooms may be nil.
func NewRecovery(rooms *KeptRooms, secrets ...[]byte) (*Recovery, error) {
	sealer, err := seal.New("ticket", secrets...)
	if err != nil {
		return nil, err
	}
	return &Recovery{sealer: sealer, rooms: rooms}, nil
}

// Ticket implements [socketio.Recovery]. Sockets of the root namespace have nothing to come back to.
func (r *Recovery) Ticket(s *socketio.Socket) string {
	l, ok := s.Data().(*listener)
	if !ok {
		return ""
	}
	return ticket{
		Socket: s.ID(), User: l.userID, Sequence: r.guilds.Sequence(l.guildID), Issued: time.Now().Unix(),
	}.issue(r.sealer, s.Namespace().Name())
}

// Persist implements [socketio.Recovery].
func (r *Recovery) Persist(s *socketio.Socket, rooms []string) {
	if r.rooms != nil {
		r.rooms.left(s, rooms)
	}
}

// Restore implements [socketio.Recovery].
func (r *Recovery) Restore(ctx context.Context, n *socketio.Namespace, pid, offset string) *socketio.Restored {
	t, ok := openTicket(r.sealer, pid, n.Name())
	if !ok || offset == "" {
		return nil
	}
	rooms := append(roomsOf(t.User), r.rooms.of(ctx, t.Socket)...)
	return &socketio.Restored{
		ID: t.Socket, Rooms: rooms,
		Replay: func(s *socketio.Socket, enter func(missed ...*socketio.Packet)) {
			l, ok := s.Data().(*listener)
			if !ok || l.userID != t.User {
				return
			}
			r.guilds.Return(s.Context(), l.guildID, t.Sequence, offset, rooms, func(missed []*socketio.Packet) {
				l.entered = true
				enter(missed...)
			})
		},
	}
}

// roomsOf are the rooms that a user's socket is in once it has its handshake.
func roomsOf(userID uint64) []string {
	return []string{everybody, player.MusicRoom, player.UserRoom(userID)}
}
