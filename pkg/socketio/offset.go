package socketio

import (
	"bytes"
	"encoding/json"
)

// WithOffset gives the packet its place in a history, such as a stream sequence: sockets that can
// come back get it as the event's last argument, and their clients show the last one they have
// handled when they return (§ connection state recovery of the reference). It returns p and must be
// called before p is sent. An empty offset means none. A MemoryRecovery replaces it with its own.
func (p *Packet) WithOffset(offset string) *Packet {
	p.offset = offset
	return p
}

// appendOffset returns the text of an event as sockets that can come back get it. Their clients take
// any string at the end, the event's name too, for an offset: where there is none, null stands
// behind it.
func appendOffset(text []byte, offset string) []byte {
	list := bytes.TrimRight(text[:len(text)-1], " \t\r\n") // without its ]
	var last []byte
	switch {
	case offset != "":
		last, _ = json.Marshal(offset) // a string always has a JSON form
	case list[len(list)-1] == '"':
		last = []byte("null")
	default:
		return text
	}
	out := make([]byte, 0, len(list)+len(last)+2)
	return append(append(append(append(out, list...), ','), last...), ']')
}

// at returns a copy with an offset.
func (p *Packet) at(offset string) *Packet {
	return &Packet{event: p.event, args: p.args, body: p.body, variants: p.variants, conflate: p.conflate, offset: offset}
}
