package adapter

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"
)

// Cluster is a namespace on all other nodes, seen from this one: what its methods do, they do there. An
// error that wraps [ErrUnreachable] or [ErrFull], and is no [*Incomplete], says that nothing was done.
type Cluster struct {
	node  *Node
	place place
	line  Line

	// Guarded by Node.mu.
	users int
	rooms map[string]struct{} // that this node listens to

	mu      sync.Mutex
	local   Local
	waiting map[string]*request // by RequestID
	peers   map[string]struct{} // uids that answered the last complete request
}

func newCluster(n *Node, p place) *Cluster {
	c := &Cluster{node: n, place: p, rooms: map[string]struct{}{}, local: nobody{}, waiting: map[string]*request{}}
	c.line = n.bus.Connect(p.namespace, p.visitor, c.receive)
	return c
}

func (c *Cluster) setLocal(l Local) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.local = l
}

// UID names this node in this namespace, as Incomplete.Missing of another node does.
func (c *Cluster) UID() string { return c.line.UID() }

// Broadcast sends an event to the sockets meant.
func (c *Cluster) Broadcast(t Target, f Flags, event Value) error {
	return c.line.Publish(&Message{Kind: Broadcast, Target: t, Flags: f, Value: event}, nil)
}

// SocketsJoin lets the sockets meant join rooms.
func (c *Cluster) SocketsJoin(t Target, rooms []string) error {
	return c.line.Publish(&Message{Kind: Join, Target: t, Rooms: rooms}, nil)
}

// SocketsLeave lets the sockets meant leave rooms.
func (c *Cluster) SocketsLeave(t Target, rooms []string) error {
	return c.line.Publish(&Message{Kind: Leave, Target: t, Rooms: rooms}, nil)
}

// DisconnectSockets ends the sockets meant, with close their whole connections.
func (c *Cluster) DisconnectSockets(t Target, close bool) error {
	return c.line.Publish(&Message{Kind: Disconnect, Target: t, Close: close}, nil)
}

// Tell is for the orders and events that have no answer: it publishes one, and waits until the bus has taken it. The others
// return as soon as it waits for the bus. An error that wraps [ErrUnreachable] says that it is lost, or may be.
func (c *Cluster) Tell(ctx context.Context, m *Message) error {
	ctx, cancel := context.WithTimeout(ctx, c.node.opts.RequestTimeout)
	defer cancel()
	done := make(chan error, 1)
	if err := c.line.Publish(m, func(err error) { done <- err }); err != nil {
		return err
	}
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
		return fmt.Errorf("%w: %w", ErrUnreachable, ctx.Err())
	case <-c.node.ctx.Done():
		return ErrUnreachable
	}
}

// ServerSideEmit hands an event to the other servers.
func (c *Cluster) ServerSideEmit(event Value) error {
	return c.line.Publish(&Message{Kind: ServerSide, Value: event}, nil)
}

// Servers counts the other nodes of the namespace.
func (c *Cluster) Servers(ctx context.Context) (int, error) {
	ctx, cancel := context.WithTimeout(ctx, c.node.opts.RequestTimeout)
	defer cancel()
	return c.line.Others(ctx)
}

// FetchSockets returns the sockets meant. The error is an [*Incomplete] where some have been asked in vain.
func (c *Cluster) FetchSockets(ctx context.Context, t Target) ([]Socket, error) {
	sockets, _, err := c.FetchFrom(ctx, t)
	return sockets, err
}

// FetchFrom is FetchSockets, and counts the other nodes that were asked.
func (c *Cluster) FetchFrom(ctx context.Context, t Target) (sockets []Socket, nodes int, err error) {
	ctx, cancel := context.WithTimeout(ctx, c.node.opts.RequestTimeout)
	defer cancel()
	nodes, err = c.request(ctx, "fetchSockets", &Message{Kind: Fetch, Target: t}, func(answer *Message, _ *Incomplete) bool {
		sockets = append(sockets, answer.Sockets...)
		return true
	})
	return sockets, nodes, err
}

// AllRooms returns the rooms that have members. Its error is FetchSockets'.
func (c *Cluster) AllRooms(ctx context.Context) ([]string, error) {
	if !c.node.bus.AsksRooms() {
		sockets, err := c.FetchSockets(ctx, Target{})
		rooms := []string{}
		for _, s := range sockets {
			rooms = append(rooms, s.Rooms...)
		}
		return distinct(rooms), err
	}
	ctx, cancel := context.WithTimeout(ctx, c.node.opts.RequestTimeout)
	defer cancel()
	rooms := []string{}
	_, err := c.request(ctx, "allRooms", &Message{Kind: AllRooms}, func(answer *Message, _ *Incomplete) bool {
		rooms = append(rooms, answer.Rooms...)
		return true
	})
	return distinct(rooms), err
}

func distinct(list []string) []string {
	slices.Sort(list)
	return slices.Compact(list)
}

// ServerSideEmitWithAck hands an event to the other servers and returns what they answered, in no order.
// Its error is FetchSockets'.
func (c *Cluster) ServerSideEmitWithAck(ctx context.Context, event Value) (answers []Value, err error) {
	ctx, cancel := context.WithTimeout(ctx, c.node.opts.RequestTimeout)
	defer cancel()
	_, err = c.request(ctx, "serverSideEmit", &Message{Kind: ServerSide, Value: event}, func(answer *Message, _ *Incomplete) bool {
		answers = append(answers, answer.Value)
		return true
	})
	return answers, err
}

// BroadcastWithAck sends an event to the sockets meant and returns the first argument of each
// acknowledgement, in no order. It waits for ctx, or for Options.RequestTimeout where ctx has no
// deadline. Its error is FetchSockets'.
func (c *Cluster) BroadcastWithAck(ctx context.Context, t Target, f Flags, event Value) (answers []Value, err error) {
	if _, bounded := ctx.Deadline(); !bounded {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, c.node.opts.RequestTimeout)
		defer cancel()
	}
	deadline, _ := ctx.Deadline()
	clients := 0
	f.Timeout = max(time.Until(deadline).Round(time.Millisecond), time.Millisecond)
	_, err = c.request(ctx, "emitWithAck", &Message{Kind: Broadcast, Target: t, Flags: f, Value: event}, func(answer *Message, state *Incomplete) bool {
		if answer.Kind == ClientCount {
			state.ExpectedClient += min(max(answer.Count, 0), maxClients)
		} else if len(answers) < state.ExpectedClient+maxEarly {
			answers = append(answers, answer.Value)
		}
		clients = min(len(answers), state.ExpectedClient)
		state.Clients = clients
		return answer.Kind == ClientCount
	})
	answers = answers[:clients]
	if errors.Is(err, context.DeadlineExceeded) {
		var incomplete *Incomplete
		if errors.As(err, &incomplete) {
			incomplete.Err = errTimeout
		}
	}
	return answers, err
}

const (
	// maxEarly bounds the clients' answers that come before their node's count: the two may take different ways in a Redis Cluster.
	maxEarly = 1 << 16
	// maxClients is the most that one node is believed to have asked.
	maxClients = 1 << 30
)

// errTimeout has the text that npm socket.io gives to a broadcast that was not acknowledged in time.
var errTimeout = timeoutError{}

type timeoutError struct{}

func (timeoutError) Error() string        { return "operation has timed out" }
func (timeoutError) Is(target error) bool { return target == context.DeadlineExceeded }
