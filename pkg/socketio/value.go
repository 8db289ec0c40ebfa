package socketio

import (
	"bytes"

	"github.com/pona-realtime/pona/pkg/adapter"
)

// value is the list [event, arguments…] for other nodes; p is no packet with variants.
func (p *Packet) value() adapter.Value {
	return adapter.Value{JSON: p.body.json, Attachments: p.body.attachments}
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

// valueOf encodes one value for other nodes.
func valueOf(value any) (adapter.Value, error) {
	var e encoder
	text, err := e.appendValue(nil, value)
	return adapter.Value{JSON: text, Attachments: e.attachments}, err
}

// argOf is what another node answered.
func argOf(v adapter.Value) (a Arg, err error) {
	switch a.json = v.JSON; {
	case len(v.Attachments) > maxAttachments:
		err = errTooManyAttachments
	case len(v.Attachments) > 0:
		err = a.attach(&attachments{bytes: v.Attachments})
	}
	return a, err
}

// argsOf splits what another node emitted into the event's name and its arguments. Names that would
// break a client are refused.
func argsOf(v adapter.Value) (event string, args Args, err error) {
	p := decoded{kind: typeEvent, data: bytes.TrimSpace(v.JSON), attachments: v.Attachments}
	if len(p.data) == 0 || p.check() != nil || tooDeep(p.data) || len(p.attachments) > maxAttachments {
		return "", nil, errInvalidPayload
	}
	name, err := p.eventName()
	if err != nil {
		return "", nil, err
	}
	if args, err = p.list(nil); err != nil {
		return "", nil, errInvalidPayload
	}
	return string(name), args[1:], nil
}

// packetOf makes a packet of what another node emitted. What would break a client is refused.
func packetOf(v adapter.Value) (*Packet, error) {
	event, args, err := argsOf(v)
	if err != nil {
		return nil, err
	}
	p := &Packet{event: event, args: make([]any, len(args)), body: body{v.JSON, v.Attachments}}
	for i, a := range args {
		p.args[i] = Raw(a.JSON())
	}
	return p, nil
}
