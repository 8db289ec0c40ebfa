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
	offset   string // see WithOffset

	mu     sync.Mutex
	nsp    string
	cached [2]*engineio.Frame // for sockets without a pid, and with one
}

// NewPacket prepares an event. Arguments are Go values for JSON (without HTML escapes), Raw or
// json.RawMessage for bytes as they are, and []byte for attachments, 10 at most. A reserved name or
// a value without JSON form is an error.
func NewPacket(event string, args ...any) (*Packet, error) {
	if reserved[event] {
		return nil, fmt.Errorf("socketio: the event name %q is reserved", event)
	}
	p := &Packet{event: event, args: append([]any{event}, args...)}
	_, err := p.frame("/", false)
	return p, err
}

// Conflate marks the packet: while one waits for a slow socket, a newer one with the same key
// replaces it. It returns p and must be called before p is sent.
func (p *Packet) Conflate(key string) *Packet {
	p.conflate = key
	clear(p.cached[:])
	return p
}

// frame encodes the packet for a namespace, for sockets that can come back or for those that cannot;
// those of the last namespace are kept.
func (p *Packet) frame(nsp string, resumable bool) (*engineio.Frame, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.nsp != nsp {
		p.nsp = nsp
		clear(p.cached[:])
	}
	if f := p.cached[index(resumable)]; f != nil {
		return f, nil
	}
	messages, err := encode(typeEvent, nsp, nil, p.args)
	if err != nil {
		return nil, err
	}
	if resumable {
		messages[0].Data = appendOffset(messages[0].Data, p.offset)
	}
	f := engineio.NewFrame(messages...).Conflate(p.conflate)
	p.cached[index(resumable)] = f
	return f, nil
}

func index(resumable bool) int {
	if resumable {
		return 1
	}
	return 0
}

// run is packets that are sent as one unit, joined when the first socket needs it.
type run struct {
	nsp     string
	packets []*Packet
	joined  [2]*engineio.Frame

	uncompressed bool
}

// frame returns the run for a socket; NewPacket has shown that the packets can be encoded.
func (r *run) frame(s *Socket) *engineio.Frame {
	resumable := s.pid != ""
	if f := r.joined[index(resumable)]; f != nil {
		return f
	}
	frames := make([]*engineio.Frame, 0, len(r.packets))
	for _, p := range r.packets {
		if f, err := p.frame(r.nsp, resumable); err == nil {
			frames = append(frames, f)
		}
	}
	f := engineio.JoinFrames(frames...)
	if r.uncompressed {
		f = f.Uncompressed()
	}
	r.joined[index(resumable)] = f
	return f
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
