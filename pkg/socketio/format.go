package socketio

import (
	"strings"

	"github.com/pona-realtime/pona/pkg/engineio"
)

// format is how the packets of a connection travel, both ways.
type format uint8

const (
	formatJSON        format = iota // § Packet encoding; npm socket.io-parser
	formatMessagePack               // one binary message for each packet; npm socket.io-msgpack-parser
	formats                         // how many there are
)

// formatOf reads the client's choice from its query: parser=msgpack, or JSON.
func formatOf(r *engineio.Request) format {
	if strings.Contains(r.URL, "parser=msgpack") && r.Query()["parser"] == "msgpack" {
		return formatMessagePack
	}
	return formatJSON
}

// frame encodes a packet.
func (f format) frame(kind packetType, nsp string, id *uint64, b body) (*engineio.Frame, error) {
	if f == formatMessagePack {
		packed, err := appendMessagePack(nil, kind, nsp, id, b)
		return engineio.NewFrame(engineio.Message{Binary: true, Data: packed}), err
	}
	return engineio.NewFrame(encode(kind, nsp, id, b)...), nil
}

// plain encodes a packet of the server's own, whose data is one JSON value or nothing.
func (f format) plain(kind packetType, nsp string, data []byte) *engineio.Frame {
	frame, err := f.frame(kind, nsp, nil, body{json: data})
	if err != nil { // only an error's data can be too deep
		frame, _ = f.frame(kind, nsp, nil, body{json: []byte(`{"message":"internal server error"}`)})
	}
	return frame
}
