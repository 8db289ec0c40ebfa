package socketio

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"

	"github.com/pona-realtime/pona/pkg/engineio"
)

// packetType is the first digit of an encoded packet (§ Packet types).
type packetType byte

const (
	typeConnect packetType = iota
	typeDisconnect
	typeEvent
	typeAck
	typeConnectError
	typeBinaryEvent
	typeBinaryAck
)

// maxAttachments is what official clients accept in one packet.
const maxAttachments = 10

// reserved names are refused both ways.
var reserved = map[string]bool{"connect": true, "connect_error": true, "disconnect": true, "disconnecting": true, "newListener": true, "removeListener": true}

var (
	errInvalidPayload     = errors.New("socketio: invalid payload")
	errTooManyAttachments = errors.New("socketio: too many attachments")
)

// decoded is a packet as it came; data is the raw JSON, nil where there was none.
type decoded struct {
	kind        packetType
	nsp         string
	id          uint64
	hasID       bool
	data        json.RawMessage
	borrowed    bool // data is valid only while its message is received; see keep
	attachments [][]byte
	missing     int // attachments still to come
}

// decode reads the text of a packet (§ Packet encoding) as socket.io-parser does: an empty text is a
// CONNECT, and an event may lack its data. The packet's data stays where it is in text.
func decode(text []byte) (decoded, error) {
	p := decoded{nsp: "/"}
	if len(text) == 0 {
		return p, nil
	}
	if text[0] < '0' || text[0] > '6' {
		return p, errors.New("socketio: unknown packet type")
	}
	p.kind = packetType(text[0] - '0')
	rest := text[1:]
	if p.kind == typeBinaryEvent || p.kind == typeBinaryAck {
		count, after, ok := bytes.Cut(rest, []byte{'-'})
		n, err := strconv.Atoi(string(count))
		if !ok || err != nil || n < 1 {
			return p, errors.New("socketio: illegal attachments")
		}
		if n > maxAttachments {
			return p, errTooManyAttachments
		}
		p.missing, rest = n, after
	}
	if len(rest) > 0 && rest[0] == '/' {
		nsp, after, _ := bytes.Cut(rest, []byte{','})
		p.nsp, rest = string(nsp), after
	}
	digits := 0
	for digits < len(rest) && (rest[digits] >= '0' && rest[digits] <= '9' || rest[digits] == ' ') {
		digits++
	}
	if id := bytes.TrimSpace(rest[:digits]); len(id) > 0 {
		n, err := strconv.ParseUint(string(id), 10, 53)
		if err != nil {
			return p, errInvalidPayload
		}
		p.id, p.hasID, rest = n, true, rest[digits:]
	}
	if len(rest) > 0 {
		if !json.Valid(rest) || tooDeep(rest) {
			return p, errInvalidPayload
		}
		p.data, p.borrowed = bytes.TrimSpace(rest), true
	}
	return p, p.check()
}

// keep makes the data the packet's own.
func (p *decoded) keep() {
	if p.borrowed {
		p.data, p.borrowed = clone(p.data), false
	}
}

// part is how much is copied or searched in one go. The runtime cannot interrupt that, and all goroutines wait
// for it whenever a collection begins or ends.
const part = 128 << 10

func clone(text []byte) []byte {
	if len(text) <= part {
		return bytes.Clone(text)
	}
	c := make([]byte, len(text))
	for i := 0; i < len(text); {
		i += copy(c[i:], text[i:min(i+part, len(text))])
	}
	return c
}

// eventName reads the first element of an event's data. It is valid as long as the data.
func (p *decoded) eventName() ([]byte, error) {
	first, _ := cutValue(bytes.TrimSpace(p.data[1 : len(p.data)-1]))
	if len(first) == 0 {
		return nil, errInvalidPayload
	}
	return Arg{json: first}.eventName()
}

// check refuses data that does not fit the type.
func (p *decoded) check() error {
	if p.data == nil {
		return nil
	}
	first, ok := p.data[0], false
	switch p.kind {
	case typeConnect:
		ok = first == '{'
	case typeEvent, typeBinaryEvent, typeAck, typeBinaryAck:
		ok = first == '['
	case typeConnectError:
		ok = first == '{' || first == '"'
	}
	if !ok {
		return errInvalidPayload
	}
	return nil
}

// list splits the data of an event or acknowledgement into its arguments, and appends them.
func (p *decoded) list(args Args) (Args, error) {
	if p.data == nil {
		return args, nil
	}
	var from *attachments
	if len(p.attachments) > 0 {
		from = &attachments{bytes: p.attachments}
	}
	for run := bytes.TrimSpace(p.data[1 : len(p.data)-1]); len(run) > 0; {
		var a Arg
		a.json, run = cutValue(run)
		if from != nil {
			if err := a.attach(from); err != nil {
				return nil, err
			}
		}
		args = append(args, a)
	}
	return args, nil
}

// body is the data of a packet: JSON, nil for none, with placeholders for its attachments.
type body struct {
	json        []byte
	attachments [][]byte
}

// newBody makes the data of an event or acknowledgement.
func newBody(args []any) (body, error) {
	var e encoder
	data, err := e.appendList(nil, args)
	switch {
	case err != nil:
		return body{}, err
	case len(e.attachments) > maxAttachments:
		return body{}, fmt.Errorf("socketio: %d attachments, at most %d", len(e.attachments), maxAttachments)
	}
	return body{data, e.attachments}, nil
}

// encode makes the messages of a packet: its text, and its attachments.
func encode(kind packetType, nsp string, id *uint64, b body) []engineio.Message {
	if len(b.attachments) > 0 {
		kind += typeBinaryEvent - typeEvent
	}
	text := make([]byte, 0, len(b.json)+len(nsp)+24)
	text = append(text, '0'+byte(kind))
	if len(b.attachments) > 0 {
		text = append(strconv.AppendInt(text, int64(len(b.attachments)), 10), '-')
	}
	if nsp != "/" {
		text = append(append(text, nsp...), ',')
	}
	if id != nil {
		text = strconv.AppendUint(text, *id, 10)
	}
	messages := append(make([]engineio.Message, 0, 1+len(b.attachments)), engineio.Message{Data: append(text, b.json...)})
	for _, a := range b.attachments {
		messages = append(messages, engineio.Message{Binary: true, Data: a})
	}
	return messages
}
