package socketio

import (
	"context"
	"encoding/json"
	"errors"
)

// RemoteSocket is what is known of a socket that may be on another node.
type RemoteSocket struct {
	ID        string          `json:"id"`
	Handshake json.RawMessage `json:"handshake"`
	Rooms     []string        `json:"rooms"`          // its id among them
	Data      json.RawMessage `json:"data,omitempty"` // Socket.Data; nil where that is nil or has no JSON form

	nsp *Namespace
}

// FetchSockets returns the addressed sockets of all nodes, in no order. Beside an error, such as an
// *adapter.Incomplete, stand those that are known.
func (b Broadcast) FetchSockets(ctx context.Context) (all []RemoteSocket, failed error) {
	all = []RemoteSocket{}
	for _, part := range b.parts() {
		for _, s := range part.describe() {
			all = append(all, RemoteSocket{s.ID, s.Handshake, s.Rooms, s.Data, part.nsp})
		}
		cluster := part.others()
		if cluster == nil {
			continue
		}
		sockets, err := cluster.FetchSockets(ctx, part.target())
		failed = errors.Join(failed, err)
		for _, s := range sockets {
			all = append(all, RemoteSocket{s.ID, s.Handshake, s.Rooms, s.Data, part.nsp})
		}
	}
	return all, failed
}

// Emit sends the socket an event; see Broadcast.Emit.
func (r *RemoteSocket) Emit(event string, args ...any) error {
	return r.nsp.To(r.ID).Emit(event, args...)
}

// Join lets the socket join rooms; see Broadcast.SocketsJoin.
func (r *RemoteSocket) Join(rooms ...string) error { return r.nsp.To(r.ID).SocketsJoin(rooms...) }

// Leave lets the socket leave rooms; see Broadcast.SocketsLeave.
func (r *RemoteSocket) Leave(rooms ...string) error { return r.nsp.To(r.ID).SocketsLeave(rooms...) }

// Disconnect ends the socket; see Broadcast.DisconnectSockets.
func (r *RemoteSocket) Disconnect(closeTransport bool) error {
	return r.nsp.To(r.ID).DisconnectSockets(closeTransport)
}

// FetchSockets returns all sockets of the namespace.
func (n *Namespace) FetchSockets(ctx context.Context) ([]RemoteSocket, error) {
	return Broadcast{nsp: n}.FetchSockets(ctx)
}

// SocketsJoin lets all sockets join rooms; see Broadcast.SocketsJoin.
func (n *Namespace) SocketsJoin(rooms ...string) error {
	return Broadcast{nsp: n}.SocketsJoin(rooms...)
}

// SocketsLeave lets all sockets leave rooms; see Broadcast.SocketsLeave.
func (n *Namespace) SocketsLeave(rooms ...string) error {
	return Broadcast{nsp: n}.SocketsLeave(rooms...)
}

// DisconnectSockets disconnects all sockets; see Broadcast.DisconnectSockets.
func (n *Namespace) DisconnectSockets(closeTransport bool) error {
	return Broadcast{nsp: n}.DisconnectSockets(closeTransport)
}
