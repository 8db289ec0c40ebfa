package redisbus

import (
	"encoding/json"

	"github.com/pona-realtime/pona/pkg/adapter"
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
