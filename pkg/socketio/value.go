package socketio

import (
	"encoding/json"

	"github.com/pona-realtime/pona/pkg/adapter"
)

// whole stands alone in a list of arguments: the list [event, arguments…] as another node wrote it.
type whole adapter.Value

// eventValue encodes the list [event, arguments…] for other nodes.
func eventValue(list []any) (adapter.Value, error) {
	var e encoder
	data, err := e.appendList(nil, list)
	return adapter.Value{JSON: data, Attachments: e.attachments}, err
}

// valueOf encodes one value for other nodes.
func valueOf(value any) (adapter.Value, error) {
	var e encoder
	data, err := e.appendValue(nil, value)
	return adapter.Value{JSON: data, Attachments: e.attachments}, err
}

// value is the argument for other nodes.
func (a Arg) value() adapter.Value {
	if a.binary != nil {
		return adapter.Value{JSON: []byte(`{"_placeholder":true,"num":0}`), Attachments: [][]byte{a.binary}}
	}
	if a.split != nil {
		return *a.split
	}
	return adapter.Value{JSON: a.json}
}

// argOf is what another node answered.
func argOf(v adapter.Value) (Arg, error) {
	a := Arg{json: v.JSON}
	var err error
	if len(v.Attachments) > 0 {
		err = a.attach(v.Attachments)
	}
	return a, err
}

// argsOf splits what another node emitted into the event's name and its arguments.
func argsOf(v adapter.Value) (event string, args Args, err error) {
	p := decoded{data: v.JSON, attachments: v.Attachments}
	if args, err = p.list(); err != nil || len(args) == 0 || args[0].Decode(&event) != nil {
		return "", nil, errInvalidPayload
	}
	return event, args[1:], nil
}

// packetOf makes a packet of what another node emitted. Names and attachments that would break a client
// are refused.
func packetOf(v adapter.Value) (*Packet, error) {
	var list []json.RawMessage
	if json.Unmarshal(v.JSON, &list) != nil || len(list) == 0 {
		return nil, errInvalidPayload
	}
	var event string
	if list[0][0] == '"' {
		if err := json.Unmarshal(list[0], &event); err != nil || reserved[event] {
			return nil, errInvalidPayload
		}
	} else if list[0][0] != '-' && (list[0][0] < '0' || list[0][0] > '9') {
		return nil, errInvalidPayload
	}
	p := &Packet{event: event, args: []any{whole(v)}}
	_, err := p.frame("/", false)
	return p, err
}
