package socketio

import (
	"fmt"
	"sync"
	"sync/atomic"

	"github.com/pona-realtime/pona/pkg/engineio"
)

// Packet is an event that is encoded once for each way in which it travels to the sockets of a
// namespace.
type Packet struct {
	event    string
	args     []any // for outgoing listeners
	body     body
	conflate string
	offset   string // see WithOffset

	variants func(variant uint8) []any // nil: the packet is the only one, and has a body

	mu     sync.Mutex
	nsp    string
	cached frames
	made   *[MaxVariants]*Packet // of variants
}

// frames are a packet's, by format, for sockets without a pid and with one.
type frames [formats][2]*engineio.Frame

// of returns the place of the frame for a socket.
func (f *frames) of(s *Socket) **engineio.Frame {
	if s.pid != "" {
		return &f[s.conn.format][1]
	}
	return &f[s.conn.format][0]
}

// NewPacket prepares an event. Arguments are Go values for JSON (without HTML escapes), Raw or
// json.RawMessage for bytes as they are, []byte for attachments, 10 at most, and an Arg for what came. A reserved name or
// a value without JSON form is an error. Raw text is not checked: clients refuse the packet, and the
// whole connection with it, where it is no JSON.
func NewPacket(event string, args ...any) (*Packet, error) {
	if reserved[event] {
		return nil, fmt.Errorf("socketio: the event name %q is reserved", event)
	}
	b, err := newBody(append([]any{event}, args...))
	if err != nil {
		return nil, err
	}
	return &Packet{event: event, args: args, body: b}, nil
}

// Event is the event's name.
func (p *Packet) Event() string { return p.event }

// Conflate marks the packet: while one waits for a slow socket, a newer one with the same key
// replaces it. It returns p and must be called before p is sent.
func (p *Packet) Conflate(key string) *Packet {
	p.conflate = key
	return p
}

// frame encodes the packet for a socket and those like it in its namespace; the frames of the last
// namespace are kept.
func (p *Packet) frame(s *Socket) (*engineio.Frame, error) {
	p, err := p.variant(s.variant)
	if err != nil {
		return nil, err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.nsp != s.nsp.name {
		p.nsp, p.cached = s.nsp.name, frames{}
	}
	cached := p.cached.of(s)
	if *cached != nil {
		return *cached, nil
	}
	b := p.body
	if s.pid != "" {
		b.json = appendOffset(b.json, p.offset)
	}
	f, err := s.conn.format.frame(typeEvent, p.nsp, nil, b)
	if err != nil {
		return nil, err
	}
	*cached = f.Conflate(p.conflate)
	return f, nil
}

// size is what the packet has in bytes, on whichever way; of variants, the first.
func (p *Packet) size() (n int) {
	p, err := p.variant(0)
	if err != nil {
		return 0
	}
	n = len(p.body.json) + len(p.offset)
	for _, a := range p.body.attachments {
		n += len(a)
	}
	return n
}

// run is packets that are sent as one unit, joined when the first socket needs it.
type run struct {
	packets []*Packet
	joined  [MaxVariants]frames

	uncompressed bool
}

// frame returns the run for a socket; nil where nothing of it can be encoded.
func (r *run) frame(s *Socket) *engineio.Frame {
	joined := r.joined[s.variant].of(s)
	if *joined == nil {
		frames := make([]*engineio.Frame, 0, len(r.packets))
		for _, p := range r.packets {
			f, err := p.frame(s)
			if err != nil { // raw text that is no JSON
				s.nsp.server.report(err)
				continue
			}
			frames = append(frames, f)
		}
		if len(frames) == 0 {
			return nil
		}
		*joined = engineio.JoinFrames(frames...)
		if r.uncompressed {
			*joined = (*joined).Uncompressed()
		}
	}
	return *joined
}

// Event is what a client emitted.
type Event struct {
	Name   string
	Args   Args
	Socket *Socket

	id    uint64
	hasID bool
	acked atomic.Bool
	few   [3]Arg // Args, where they are few
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
	b, err := newBody(args)
	if err != nil {
		return err
	}
	f, err := e.Socket.conn.format.frame(typeAck, e.Socket.nsp.name, &e.id, b)
	if err != nil || !e.acked.CompareAndSwap(false, true) {
		return err
	}
	e.Socket.send(f, false)
	return nil
}
