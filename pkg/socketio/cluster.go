package socketio

import (
	"context"
	"errors"
	"slices"

	"github.com/pona-realtime/pona/pkg/adapter"
)

// target is what other nodes are told of whom a broadcast addresses.
func (b Broadcast) target() adapter.Target { return adapter.Target{Rooms: b.rooms, Except: b.except} }

func (b Broadcast) flags() adapter.Flags {
	return adapter.Flags{Volatile: b.volatile, Uncompressed: b.uncompressed}
}

// others is the rest of the cluster where this broadcast goes there too, or nil.
func (b Broadcast) others() *adapter.Cluster {
	if b.local || b.only != nil {
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
		one, err := p.variant(0) // a socket's choice is its own server's affair
		if err == nil {
			err = cluster.Broadcast(b.target(), b.flags(), one.value())
		}
		failed = errors.Join(failed, err)
	}
	return failed
}

// EmitWithAck sends an event to the addressed sockets and waits until each has answered, or for
// ctx: then the answers that came are returned beside the error. Answers have no order; a socket
// that goes away answers nothing and makes it an error. Without sockets it returns at once. Sockets of
// other nodes answer with one argument, within the time of a request where ctx has no deadline.
func (b Broadcast) EmitWithAck(ctx context.Context, event string, args ...any) ([]Args, error) {
	if b.timeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, b.timeout)
		defer cancel()
	}
	p, err := NewPacket(event, args...)
	if err != nil {
		return nil, err
	}
	var answers []Args
	collect := func(a Args) { answers = append(answers, a) }
	asking := 0
	results := make(chan clusterAnswers)
	for _, part := range b.parts() {
		if cluster := part.others(); cluster != nil {
			asking++
			go func() {
				values, err := cluster.BroadcastWithAck(ctx, part.target(), part.flags(), p.value())
				results <- clusterAnswers{values, err}
			}()
		}
	}
	err = b.ask(ctx, p, func(int) {}, collect)
	for range asking {
		r := <-results
		err = errors.Join(err, r.err)
		for _, v := range r.values {
			a, broken := argOf(v)
			if broken != nil {
				err = errors.Join(err, broken)
				continue
			}
			collect(Args{a})
		}
	}
	return answers, err
}

// clusterAnswers are those of the other nodes of one namespace.
type clusterAnswers struct {
	values []adapter.Value
	err    error
}

// SocketsJoin lets the addressed sockets join rooms. An error says that those of other nodes do not.
func (b Broadcast) SocketsJoin(rooms ...string) error {
	for _, s := range b.sockets() {
		s.Join(rooms...)
	}
	return b.order(func(c *adapter.Cluster, t adapter.Target) error { return c.SocketsJoin(t, rooms) })
}

// SocketsLeave lets the addressed sockets leave rooms. An error says that those of other nodes do not.
func (b Broadcast) SocketsLeave(rooms ...string) error {
	for _, s := range b.sockets() {
		for _, room := range rooms {
			s.Leave(room)
		}
	}
	return b.order(func(c *adapter.Cluster, t adapter.Target) error { return c.SocketsLeave(t, rooms) })
}

// DisconnectSockets disconnects the addressed sockets; see Socket.Disconnect. An error says that those
// of other nodes are not.
func (b Broadcast) DisconnectSockets(closeTransport bool) error {
	for _, s := range b.sockets() {
		s.Disconnect(closeTransport)
	}
	return b.order(func(c *adapter.Cluster, t adapter.Target) error { return c.DisconnectSockets(t, closeTransport) })
}

// order tells the other nodes of each namespace what to do with the addressed sockets.
func (b Broadcast) order(tell func(*adapter.Cluster, adapter.Target) error) (failed error) {
	for _, part := range b.parts() {
		if cluster := part.others(); cluster != nil {
			failed = errors.Join(failed, tell(cluster, part.target()))
		}
	}
	return failed
}

// AllRooms returns the rooms that have members on any node. Beside an error stand those that are known.
func (n *Namespace) AllRooms(ctx context.Context) ([]string, error) {
	rooms := n.roomNames()
	if n.cluster == nil {
		return rooms, nil
	}
	remote, err := n.cluster.AllRooms(ctx)
	rooms = append(rooms, remote...)
	slices.Sort(rooms)
	return slices.Compact(rooms), err
}

// ServerCount is the number of nodes that have the namespace, this one included.
func (n *Namespace) ServerCount(ctx context.Context) (int, error) {
	if n.cluster == nil {
		return 1, nil
	}
	others, err := n.cluster.Servers(ctx)
	return 1 + others, err
}
