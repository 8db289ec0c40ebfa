package socketio

import (
	"context"
	"encoding/json"
	"errors"
	"slices"

	"github.com/pona-realtime/pona/pkg/adapter"
)

// target is what other nodes are told of whom a broadcast addresses.
func (b Broadcast) target() adapter.Target { return adapter.Target{Rooms: b.rooms, Except: b.except} }

// others is the rest of the cluster where this broadcast goes there too, or nil.
func (b Broadcast) others() *adapter.Cluster {
	if b.local {
		return nil
	}
	return b.nsp.cluster
}

// publish tells the other nodes of packets that this one has sent.
func (b Broadcast) publish(packets []*Packet) (failed error) {
	cluster := b.others()
	if cluster == nil {
		return nil
	}
	for _, p := range packets {
		event, err := eventValue(p.args)
		if err == nil {
			err = cluster.Broadcast(b.target(), adapter.Flags{Volatile: b.volatile}, event)
		}
		failed = errors.Join(failed, err)
	}
	return failed
}

// EmitWithAck sends an event to the addressed sockets and waits until each has answered, or for
// ctx: then the answers that came are returned beside the error. Answers have no order; a socket
// that goes away answers nothing and makes it an error. Without sockets it returns at once. Sockets of
// other nodes answer with one argument, and for the five seconds of a request where ctx has no deadline.
func (b Broadcast) EmitWithAck(ctx context.Context, event string, args ...any) ([]Args, error) {
	p, err := NewPacket(event, args...)
	if err != nil {
		return nil, err
	}
	var answers []Args
	local := func() error {
		return b.ask(ctx, p.args, func(int) {}, func(a Args) { answers = append(answers, a) })
	}
	cluster := b.others()
	if cluster == nil {
		err = local()
		return answers, err
	}
	question, err := eventValue(p.args)
	if err != nil {
		return nil, err
	}
	here := make(chan error, 1)
	go func() { here <- local() }()
	remote, err := cluster.BroadcastWithAck(ctx, b.target(), adapter.Flags{Volatile: b.volatile}, question)
	err = errors.Join(<-here, err)
	for _, v := range remote {
		a, broken := argOf(v)
		if broken != nil {
			err = errors.Join(err, broken)
			continue
		}
		answers = append(answers, Args{a})
	}
	return answers, err
}

// RemoteSocket is a socket of any node, as that node described it. What is to happen to it, do with
// Namespace.In(ID).
type RemoteSocket struct {
	ID        string
	Rooms     []string        // its id among them, in no order
	Handshake json.RawMessage // headers, time, address, xdomain, secure, issued, url, query, auth
	Data      json.RawMessage // nil where it has none
}

// FetchSockets describes the addressed sockets of all nodes. Beside an error, such as an
// *adapter.Incomplete, stand those that are known.
func (b Broadcast) FetchSockets(ctx context.Context) ([]RemoteSocket, error) {
	found := b.describe()
	var err error
	if cluster := b.others(); cluster != nil {
		var remote []adapter.Socket
		remote, err = cluster.FetchSockets(ctx, b.target())
		found = append(found, remote...)
	}
	sockets := make([]RemoteSocket, len(found))
	for i, s := range found {
		sockets[i] = RemoteSocket{ID: s.ID, Rooms: s.Rooms, Handshake: s.Handshake, Data: s.Data}
	}
	return sockets, err
}

// SocketsJoin lets the addressed sockets join rooms. An error says that those of other nodes do not.
func (b Broadcast) SocketsJoin(rooms ...string) error {
	for _, s := range b.sockets() {
		s.Join(rooms...)
	}
	if cluster := b.others(); cluster != nil {
		return cluster.SocketsJoin(b.target(), rooms)
	}
	return nil
}

// SocketsLeave lets the addressed sockets leave rooms. An error says that those of other nodes do not.
func (b Broadcast) SocketsLeave(rooms ...string) error {
	for _, s := range b.sockets() {
		for _, room := range rooms {
			s.Leave(room)
		}
	}
	if cluster := b.others(); cluster != nil {
		return cluster.SocketsLeave(b.target(), rooms)
	}
	return nil
}

// DisconnectSockets disconnects the addressed sockets; see Socket.Disconnect. An error says that those
// of other nodes are not.
func (b Broadcast) DisconnectSockets(closeTransport bool) error {
	for _, s := range b.sockets() {
		s.Disconnect(closeTransport)
	}
	if cluster := b.others(); cluster != nil {
		return cluster.DisconnectSockets(b.target(), closeTransport)
	}
	return nil
}

// FetchSockets describes every socket of the namespace, on all nodes; see Broadcast.FetchSockets.
func (n *Namespace) FetchSockets(ctx context.Context) ([]RemoteSocket, error) {
	return Broadcast{nsp: n}.FetchSockets(ctx)
}

// AllRooms returns the rooms that have members on any node. Beside an error stand those that are known.
func (n *Namespace) AllRooms(ctx context.Context) ([]string, error) {
	rooms := n.roomNames()
	var err error
	if n.cluster != nil {
		var remote []string
		remote, err = n.cluster.AllRooms(ctx)
		rooms = append(rooms, remote...)
		slices.Sort(rooms)
		rooms = slices.Compact(rooms)
	}
	return rooms, err
}

// ServerCount is the number of nodes that have the namespace, this one included.
func (n *Namespace) ServerCount(ctx context.Context) (int, error) {
	if n.cluster == nil {
		return 1, nil
	}
	others, err := n.cluster.Servers(ctx)
	return 1 + others, err
}
