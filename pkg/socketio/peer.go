package socketio

import (
	"context"
	"encoding/json"

	"github.com/pona-realtime/pona/pkg/adapter"
)

// peer is a namespace as the other nodes of the cluster reach it.
type peer struct{ nsp *Namespace }

var _ adapter.Local = peer{}

func (p peer) to(t adapter.Target) Broadcast {
	return Broadcast{nsp: p.nsp, rooms: t.Rooms, except: t.Except, local: true}
}

// Broadcast drops what would break clients.
func (p peer) Broadcast(t adapter.Target, f adapter.Flags, event adapter.Value) error {
	packet, err := packetOf(event)
	if err != nil {
		return err
	}
	b := p.to(t)
	b.volatile, b.uncompressed = f.Volatile, f.Uncompressed
	return b.Send(packet)
}

func (p peer) Ask(ctx context.Context, t adapter.Target, _ adapter.Flags, event adapter.Value, asked func(int), answered func(adapter.Value)) error {
	packet, err := packetOf(event)
	if err != nil {
		asked(0)
		return err
	}
	_ = p.to(t).ask(ctx, packet, asked, func(a Args) { // the asker knows who has not answered
		v := adapter.Value{JSON: []byte("null")}
		if len(a) > 0 {
			v = a[0].value()
		}
		answered(v)
	})
	return nil
}

func (p peer) Sockets(t adapter.Target) []adapter.Socket { return p.to(t).describe() }

func (p peer) Join(t adapter.Target, rooms []string)   { _ = p.to(t).SocketsJoin(rooms...) }
func (p peer) Leave(t adapter.Target, rooms []string)  { _ = p.to(t).SocketsLeave(rooms...) }
func (p peer) Disconnect(t adapter.Target, close bool) { _ = p.to(t).DisconnectSockets(close) }

func (p peer) ServerSideEvent(event adapter.Value, answer func(adapter.Value)) error {
	name, args, err := argsOf(event)
	if err != nil {
		return err
	}
	listeners := p.nsp.handlers.serverSideListeners(name)
	if p.nsp.parent != nil {
		listeners = append(p.nsp.parent.serverSideListeners(name), listeners...)
	}
	for _, f := range listeners {
		p.nsp.server.guard(func() {
			f(&ServerSideEvent{Name: name, Args: args, Namespace: p.nsp, answer: answer})
		})
	}
	return nil
}

func (p peer) Rooms() []string { return p.nsp.roomNames() }

// describe tells others of the addressed sockets of this node.
func (b Broadcast) describe() []adapter.Socket {
	sockets := b.sockets()
	described := make([]adapter.Socket, 0, len(sockets))
	for _, s := range sockets {
		d := adapter.Socket{ID: s.id, Rooms: s.Rooms()}
		d.Handshake, _ = s.handshake.describe(s.nsp.server.opts.HideCredentials) // always has a JSON form
		if data := s.Data(); data != nil {
			d.Data, _ = json.Marshal(data) // nil without JSON form
		}
		described = append(described, d)
	}
	return described
}
