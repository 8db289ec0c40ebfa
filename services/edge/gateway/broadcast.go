package gateway

import "github.com/pona-realtime/pona/pkg/socketio"

// everybody is the room of those who have been sent their handshake. What is for the whole namespace goes
// here: a socket belongs to its namespace a moment earlier, and must get nothing before its handshake.
const everybody = "everybody"

// Broadcast sends a run of packets to a room of a guild's namespace, or to all who have entered it. The
// traceparent names the span of an event that is traced; empty for others. written, if not nil, is called as
// socketio's Deliver does: when all of them have been written to.
func (g *Gateway) Broadcast(guildID uint64, room string, packets []*socketio.Packet, traceparent string, written func(sockets, bytes int)) {
	namespace := g.server.Lookup(namespaceOf(guildID))
	if namespace == nil { // nobody has joined yet
		if written != nil {
			written(0, 0)
		}
		return
	}
	if room == "" {
		room = everybody
	}
	to := namespace.To(room).Local() // every edge has the event from a fanout
	if traceparent != "" {
		written = g.traceEmit(room, packets, traceparent, written)
	}
	_ = to.Deliver(written, packets...) // Local: no other node misses it
}

// Restart has everybody who has entered a guild connect again: what they missed is gone, so that they
// will not be recovered, which tells them, and get a new handshake. The connections of a large guild
// end together; stock clients wait a random while before they are back.
func (g *Gateway) Restart(guildID uint64) {
	namespace := g.server.Lookup(namespaceOf(guildID))
	if namespace == nil {
		return
	}
	for _, s := range namespace.Sockets() {
		if l, ok := s.Data().(*listener); ok && l.entered {
			s.Interrupt()
		}
	}
}
