package socketio

import (
	"encoding/json"
	"errors"
	"strconv"

	"github.com/tidwall/gjson"

	"github.com/pona-realtime/pona/pkg/msgpack"
)

// A packet in MessagePack is one map {type, nsp, data?, id?}; its binary data stands inside, so that
// there are no types of their own for it.

// appendMessagePack encodes a packet. Data that is no JSON or too deep is an error.
func appendMessagePack(dst []byte, kind packetType, nsp string, id *uint64, b body) ([]byte, error) {
	name, err := json.Marshal(nsp)
	if err != nil {
		return nil, err
	}
	text := make([]byte, 0, len(b.json)+len(name)+64)
	text = append(strconv.AppendUint(append(text, `{"type":`...), uint64(kind), 10), `,"nsp":`...)
	text = append(text, name...)
	if id != nil {
		text = strconv.AppendUint(append(text, `,"id":`...), *id, 10)
	}
	if b.json != nil {
		text = append(append(text, `,"data":`...), b.json...)
	}
	return msgpack.Append(dst, msgpack.Value{JSON: append(text, '}'), Attachments: b.attachments})
}

var errMessagePack = errors.New("socketio: not a packet in MessagePack")

// decodeMessagePack reads a packet with the bounds of decode. It copies what it keeps of message.
func decodeMessagePack(message []byte) (decoded, error) {
	v, rest, err := msgpack.Read(message)
	if err != nil {
		return decoded{}, err
	}
	packet := gjson.ParseBytes(v.JSON)
	if len(rest) > 0 || !packet.IsObject() {
		return decoded{}, errMessagePack
	}
	var kind, nsp, id, data gjson.Result // of members that are there twice, the last
	packet.ForEach(func(key, value gjson.Result) bool {
		switch key.Str {
		case "type":
			kind = value
		case "nsp":
			nsp = value
		case "id":
			id = value
		case "data":
			data = value
		}
		return true
	})
	var p decoded
	t, err := strconv.ParseUint(kind.Raw, 10, 8)
	if err != nil || packetType(t) > typeConnectError || nsp.Type != gjson.String {
		return decoded{}, errMessagePack
	}
	p.kind, p.nsp = packetType(t), nsp.Str
	if id.Exists() {
		if p.id, err = strconv.ParseUint(id.Raw, 10, 53); err != nil {
			return decoded{}, errInvalidPayload
		}
		p.hasID = true
	}
	if data.Exists() {
		p.data = []byte(data.Raw)
	}
	if len(v.Attachments) > maxAttachments {
		return decoded{}, errTooManyAttachments
	}
	for _, a := range v.Attachments { // they share the message's memory
		p.attachments = append(p.attachments, append([]byte{}, a...))
	}
	if p.kind != typeEvent && p.kind != typeAck && len(p.attachments) > 0 {
		return decoded{}, errInvalidPayload
	}
	// What is missing altogether passes as JSON, but not here: the reference asks for a list.
	if (p.kind == typeEvent || p.kind == typeAck) && p.data == nil {
		return decoded{}, errInvalidPayload
	}
	return p, p.check()
}
