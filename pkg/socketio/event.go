package socketio

import (
	"fmt"
	"sync"
	"sync/atomic"

	"github.com/pona-realtime/pona/pkg/engineio"
)

// Packet is an event that is encoded once for each namespace it is sent in.
type Packet struct {
	event    string
	args     []any
	conflate string

	mu     sync.Mutex
	nsp    string
	cached *engineio.Frame
}

// NewPacket prepares an event. Arguments are Go values for JSON (without HTML escapes), Raw or
// json.RawMessage for bytes as they are, and []byte for attachments, 10 at most. A reserved name or
// a value without JSON form is an error.
func NewPacket(event string, args ...any) (*Packet, error) {
	if reserved[event] {
		return nil, fmt.Errorf("socketio: the event name %q is reserved", event)
	}
	p := &Packet{event: event, args: append([]any{event}, args...)}
	_, err := p.frame("/")
	return p, err
}

// Conflate marks the packet: while one waits for a slow socket, a newer one with the same key
// replaces it. It returns p and must be called before p is sent.
func (p *Packet) Conflate(key string) *Packet {
	p.conflate = key
	p.cached = nil
	return p
}

// frame encodes the packet for a namespace; the last one is kept.
func (p *Packet) frame(nsp string) (*engineio.Frame, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.cached != nil && p.nsp == nsp {
		return p.cached, nil
	}
	messages, err := encode(typeEvent, nsp, nil, p.args)
	if err != nil {
		return nil, err
	}
	p.nsp, p.cached = nsp, engineio.NewFrame(messages...).Conflate(p.conflate)
	return p.cached, nil
}

// join makes one frame of a run of packets; NewPacket has shown that they can be encoded.
func join(nsp string, packets []*Packet) *engineio.Frame {
	frames := make([]*engineio.Frame, 0, len(packets))
	for _, p := range packets {
		if f, err := p.frame(nsp); err == nil {
			frames = append(frames, f)
		}
	}
	return engineio.JoinFrames(frames...)
}

// Event is what a client emitted.
type Event struct {
	Name   string
	Args   Args
	Socket *Socket

	id    uint64
	hasID bool
	acked atomic.Bool
}

// WantsAck tells whether the client waits for an acknowledgement.
func (e *Event) WantsAck() bool { return e.hasID }

// Ack answers the client, once: later calls, and calls without a waiting client, do nothing. An
// argument without JSON form is an error.
func (e *Event) Ack(args ...any) error {
	if !e.hasID {
		return nil
	}
	if args == nil {
		args = []any{}
	}
	messages, err := encode(typeAck, e.Socket.nsp.name, &e.id, args)
	if err != nil || !e.acked.CompareAndSwap(false, true) {
		return err
	}
	e.Socket.send(engineio.NewFrame(messages...), false)
	return nil
}
