package redisbus

import (
	"bytes"
	"encoding/json"
	"strconv"

	"github.com/pona-realtime/pona/pkg/adapter"
	"github.com/pona-realtime/pona/pkg/msgpack"
)

// socket is a socket as it travels.
type socket struct {
	ID        string          `json:"id"`
	Handshake json.RawMessage `json:"handshake"`
	Rooms     names           `json:"rooms"`
	Data      json.RawMessage `json:"data,omitempty"`
}

func encodeSockets(sockets []adapter.Socket) (json.RawMessage, error) {
	list := make([]socket, len(sockets))
	for i, s := range sockets {
		list[i] = socket{s.ID, orNull(s.Handshake), s.Rooms, s.Data}
	}
	return encodeJSON(list)
}

// buffers puts binary among what sockets carry as JSON.stringify does a Buffer: the classic wire has it in no other form.
func buffers(text json.RawMessage, attachments [][]byte) (out json.RawMessage) {
	if len(attachments) == 0 {
		return text
	}
	for {
		before, after, found := bytes.Cut(text, []byte(msgpack.PlaceholderStart))
		out = append(out, before...)
		if !found {
			return out
		}
		num, rest, _ := bytes.Cut(after, []byte{'}'})
		i, _ := strconv.Atoi(string(num)) // is a number: read wrote it
		out = append(out, `{"type":"Buffer","data":[`...)
		for j, b := range attachments[i] {
			if j > 0 {
				out = append(out, ',')
			}
			out = strconv.AppendUint(out, uint64(b), 10)
		}
		out = append(out, "]}"...)
		text = rest
	}
}

func decodeSockets(text json.RawMessage) ([]adapter.Socket, error) {
	var list []socket
	if err := json.Unmarshal(text, &list); err != nil {
		return nil, errMalformed
	}
	sockets := make([]adapter.Socket, len(list))
	for i, s := range list {
		if s.ID == "" {
			return nil, errMalformed
		}
		sockets[i] = adapter.Socket{ID: s.ID, Handshake: s.Handshake, Rooms: s.Rooms, Data: s.Data}
	}
	return sockets, nil
}
