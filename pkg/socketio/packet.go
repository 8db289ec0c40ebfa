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

var errInvalidPayload = errors.New("socketio: invalid payload")

// decoded is a packet as it came; data is the raw JSON, nil where there was none.
type decoded struct {
	kind        packetType
	nsp         string
	id          uint64
	hasID       bool
	data        json.RawMessage
	attachments [][]byte
	missing     int // attachments still to come
}

// decode reads the text of a packet (§ Packet encoding) as socket.io-parser does. It copies what it
// keeps of text.
func decode(text []byte) (*decoded, error) {
	if len(text) == 0 || text[0] < '0' || text[0] > '6' {
		return nil, errors.New("socketio: unknown packet type")
	}
	p := &decoded{kind: packetType(text[0] - '0'), nsp: "/"}
	rest := text[1:]
	if p.kind == typeBinaryEvent || p.kind == typeBinaryAck {
		count, after, ok := bytes.Cut(rest, []byte{'-'})
		n, err := strconv.Atoi(string(count))
		if !ok || err != nil || n < 1 {
			return nil, errors.New("socketio: illegal attachments")
		}
		if n > maxAttachments {
			return nil, errors.New("socketio: too many attachments")
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
			return nil, errInvalidPayload
		}
		p.id, p.hasID, rest = n, true, rest[digits:]
	}
	if len(rest) > 0 {
		if !json.Valid(rest) {
			return nil, errInvalidPayload
		}
		p.data = bytes.Clone(bytes.TrimSpace(rest))
	}
	return p, p.check()
}

// check refuses data that does not fit the type.
func (p *decoded) check() error {
	first := byte(0)
	if len(p.data) > 0 {
		first = p.data[0]
	}
	ok := true
	switch p.kind {
	case typeConnect:
		ok = first == 0 || first == '{'
	case typeDisconnect:
		ok = first == 0
	case typeEvent, typeBinaryEvent, typeAck, typeBinaryAck:
		ok = first == '['
	case typeConnectError:
		ok = first == 0 || first == '{' || first == '"'
	}
	if !ok {
		return errInvalidPayload
	}
	return nil
}

// list splits the data of an event or acknowledgement into its arguments.
func (p *decoded) list() (Args, error) {
	var raw []json.RawMessage
	if err := json.Unmarshal(p.data, &raw); err != nil {
		return nil, errInvalidPayload
	}
	args := make(Args, len(raw))
	for i, r := range raw {
		args[i] = Arg{json: r}
		if len(p.attachments) > 0 {
			if err := args[i].attach(p.attachments); err != nil {
				return nil, err
			}
		}
	}
	return args, nil
}

// encode makes the messages of a packet: its text, and its attachments.
func encode(kind packetType, nsp string, id *uint64, args []any) ([]engineio.Message, error) {
	var e encoder
	var data []byte
	var err error
	if args != nil {
		if data, err = e.appendList(nil, args); err != nil {
			return nil, err
		}
	}
	if n := len(e.attachments); n > maxAttachments {
		return nil, fmt.Errorf("socketio: %d attachments, at most %d", n, maxAttachments)
	} else if n > 0 {
		kind += typeBinaryEvent - typeEvent
	}
	text := make([]byte, 0, len(data)+len(nsp)+16)
	text = append(text, '0'+byte(kind))
	if len(e.attachments) > 0 {
		text = append(strconv.AppendInt(text, int64(len(e.attachments)), 10), '-')
	}
	text = appendHead(text, nsp)
	if id != nil {
		text = strconv.AppendUint(text, *id, 10)
	}
	messages := []engineio.Message{{Data: append(text, data...)}}
	for _, a := range e.attachments {
		messages = append(messages, engineio.Message{Binary: true, Data: a})
	}
	return messages, nil
}

func appendHead(text []byte, nsp string) []byte {
	if nsp == "/" {
		return text
	}
	return append(append(text, nsp...), ',')
}

// plain makes the frame of a packet whose data is already JSON.
func plain(kind packetType, nsp string, data []byte) *engineio.Frame {
	return engineio.NewFrame(engineio.Message{Data: append(appendHead([]byte{'0' + byte(kind)}, nsp), data...)})
}
