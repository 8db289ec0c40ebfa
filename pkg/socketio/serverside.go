package socketio

import (
	"context"
	"errors"

	"github.com/pona-realtime/pona/pkg/adapter"
)

// ServerSideEvent is what another server emitted, for servers only.
type ServerSideEvent struct {
	Name      string
	Args      Args
	Namespace *Namespace

	answer func(adapter.Value) // nil where none is wanted
}

// WantsAck tells whether the other server waits for an answer.
func (e *ServerSideEvent) WantsAck() bool { return e.answer != nil }

// Ack answers the other server with one value, once: later calls do nothing. A value without JSON form
// is an error.
func (e *ServerSideEvent) Ack(value any) error {
	if e.answer == nil {
		return nil
	}
	v, err := valueOf(value)
	if err == nil {
		e.answer(v)
	}
	return err
}

// OnServerSideEmit adds a listener for an event of other servers. It must be quick: the namespace's
// messages of other nodes wait for it. A listener of a parent hears those of every child that has sockets.
func (h *handlers) OnServerSideEmit(event string, f func(*ServerSideEvent)) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.serverSide == nil {
		h.serverSide = map[string][]func(*ServerSideEvent){}
	}
	h.serverSide[event] = append(h.serverSide[event], f)
}

func (h *handlers) serverSideListeners(event string) []func(*ServerSideEvent) {
	h.mu.RLock()
	defer h.mu.RUnlock()
	return h.serverSide[event][:len(h.serverSide[event]):len(h.serverSide[event])]
}

// OnServerSideEmit adds a listener for an event of other servers; see ParentNamespace.OnServerSideEmit.
func (n *Namespace) OnServerSideEmit(event string, f func(*ServerSideEvent)) {
	n.handlers.OnServerSideEmit(event, f)
}

var errAlone = errors.New("socketio: no cluster: Options.Cluster is not set")

// ServerSideEmit sends an event to the other servers that have the namespace. An error says that they
// are not reached.
func (n *Namespace) ServerSideEmit(event string, args ...any) error {
	v, err := n.serverSideValue(event, args)
	if err != nil {
		return err
	}
	return n.cluster.ServerSideEmit(v)
}

// ServerSideEmitWithAck sends an event to the other servers and returns what they answered, in no
// order; beside an error, such as an *adapter.Incomplete, the answers that came.
func (n *Namespace) ServerSideEmitWithAck(ctx context.Context, event string, args ...any) (Args, error) {
	v, err := n.serverSideValue(event, args)
	if err != nil {
		return nil, err
	}
	values, err := n.cluster.ServerSideEmitWithAck(ctx, v)
	answers := make(Args, 0, len(values))
	for _, v := range values {
		a, broken := argOf(v)
		if broken != nil {
			err = errors.Join(err, broken)
			continue
		}
		answers = append(answers, a)
	}
	return answers, err
}

func (n *Namespace) serverSideValue(event string, args []any) (adapter.Value, error) {
	if n.cluster == nil {
		return adapter.Value{}, errAlone
	}
	p, err := NewPacket(event, args...)
	if err != nil {
		return adapter.Value{}, err
	}
	return p.value(), nil
}
