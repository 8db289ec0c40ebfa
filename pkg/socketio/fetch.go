package socketio

import (
	"context"
	"encoding/json"
)

// RemoteSocket is what is known of a socket that may be on another node.
type RemoteSocket struct {
	ID        string          `json:"id"`
	Handshake json.RawMessage `json:"handshake"`
	Rooms     []string        `json:"rooms"`          // its id among them
	Data      json.RawMessage `json:"data,omitempty"` // Socket.Data; nil where that is nil or has no JSON form

	nsp *Namespace
}

// FetchSockets returns the addressed sockets, in no order.
func (b Broadcast) FetchSockets(_ context.Context) ([]RemoteSocket, error) {
	all := []RemoteSocket{}
	for _, s := range b.sockets() {
		all = append(all, s.remote())
	}
	return all, nil
}

// remote describes the socket to others.
func (s *Socket) remote() RemoteSocket {
	r := RemoteSocket{ID: s.id, Rooms: s.Rooms(), nsp: s.nsp}
	r.Handshake, _ = json.Marshal(&s.handshake) // of strings, times and a payload that was parsed
	if data := s.Data(); data != nil {
		r.Data, _ = json.Marshal(data)
	}
	return r
}

// Emit sends the socket an event; see Broadcast.Emit.
func (r *RemoteSocket) Emit(event string, args ...any) error {
	return r.nsp.To(r.ID).Emit(event, args...)
}

// Join lets the socket join rooms.
func (r *RemoteSocket) Join(rooms ...string) { r.nsp.To(r.ID).SocketsJoin(rooms...) }

// Leave lets the socket leave rooms.
func (r *RemoteSocket) Leave(rooms ...string) { r.nsp.To(r.ID).SocketsLeave(rooms...) }

// Disconnect ends the socket; see Socket.Disconnect.
func (r *RemoteSocket) Disconnect(closeTransport bool) {
	r.nsp.To(r.ID).DisconnectSockets(closeTransport)
}

// FetchSockets returns all sockets of the namespace.
func (n *Namespace) FetchSockets(ctx context.Context) ([]RemoteSocket, error) {
	return Broadcast{nsp: n}.FetchSockets(ctx)
}

// SocketsJoin lets all sockets join rooms.
func (n *Namespace) SocketsJoin(rooms ...string) { Broadcast{nsp: n}.SocketsJoin(rooms...) }

// SocketsLeave lets all sockets leave rooms.
func (n *Namespace) SocketsLeave(rooms ...string) { Broadcast{nsp: n}.SocketsLeave(rooms...) }

// DisconnectSockets disconnects all sockets; see Socket.Disconnect.
func (n *Namespace) DisconnectSockets(closeTransport bool) {
	Broadcast{nsp: n}.DisconnectSockets(closeTransport)
}
