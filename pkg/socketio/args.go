package socketio

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"unicode/utf8"

	"github.com/pona-realtime/pona/pkg/adapter"
)

// Raw is a JSON value that is sent byte for byte. So is a json.RawMessage.
type Raw []byte

// Args are the arguments of an event or acknowledgement.
type Args []Arg

// Decode stores the arguments in as many values, as json.Unmarshal does. The error names the first argument that
// is not there or does not fit; further ones are ignored.
func (a Args) Decode(into ...any) error {
	for i, v := range into {
		if i == len(a) {
			return fmt.Errorf("socketio: %d arguments, must be %d", len(a), len(into))
		}
		if err := a[i].Decode(v); err != nil {
			return fmt.Errorf("socketio: argument %d: %w", i+1, err)
		}
	}
	return nil
}

// Arg is one argument, as the client wrote it.
type Arg struct {
	json   json.RawMessage
	binary []byte
	split  *adapter.Value // with its attachments beside it, where some stand deeper in it
}

// JSON is the value as the client wrote it; attachments stand in it as base64 strings.
func (a Arg) JSON() json.RawMessage {
	if a.binary != nil {
		return base64JSON(a.binary)
	}
	return a.json
}

// Bytes is the attachment, where the whole argument is one.
func (a Arg) Bytes() ([]byte, bool) { return a.binary, a.binary != nil }

// Decode stores the value in v, as json.Unmarshal does.
func (a Arg) Decode(v any) error { return json.Unmarshal(a.JSON(), v) }

// eventName reads the first argument of an event: a text, or a number as it is written.
func (a Arg) eventName() (name []byte, err error) {
	switch first := a.json[0]; {
	case first == '-' || first >= '0' && first <= '9':
		return a.json, nil
	case first != '"':
		return nil, errInvalidPayload
	case bytes.IndexByte(a.json, '\\') < 0 && utf8.Valid(a.json):
		name = a.json[1 : len(a.json)-1]
	default:
		var text string
		err = a.Decode(&text)
		name = []byte(text)
	}
	if err != nil || reserved[string(name)] {
		return nil, errInvalidPayload
	}
	return name, nil
}

// List returns the elements of an argument that is a list; ok is false where it is none.
func (a Arg) List() (elements Args, ok bool) {
	v := a.value()
	text := bytes.TrimSpace(v.JSON)
	if a.binary != nil || len(text) == 0 || text[0] != '[' {
		return nil, false
	}
	list := decoded{data: text, attachments: v.Attachments}
	elements, err := list.list(Args{})
	return elements, err == nil
}

// encoder writes arguments as JSON and collects the attachments: []byte, alone or inside []any and
// map[string]any, and those of an Arg. Inside other types a []byte is a base64 string, as in
// encoding/json.
type encoder struct{ attachments [][]byte }

func (e *encoder) appendList(dst []byte, list []any) ([]byte, error) {
	dst = append(dst, '[')
	for i, v := range list {
		if i > 0 {
			dst = append(dst, ',')
		}
		var err error
		if dst, err = e.appendValue(dst, v); err != nil {
			return nil, err
		}
	}
	return append(dst, ']'), nil
}

func (e *encoder) appendValue(dst []byte, v any) ([]byte, error) {
	switch v := v.(type) {
	case Raw:
		return append(dst, v...), nil
	case json.RawMessage:
		return append(dst, v...), nil
	case []byte:
		return e.appendAttachment(dst, v), nil
	case Arg:
		return e.appendArg(dst, v)
	case []any:
		return e.appendList(dst, v)
	case map[string]any:
		return e.appendObject(dst, v)
	case string:
		if plainText(v) {
			return append(append(append(dst, '"'), v...), '"'), nil
		}
	case int:
		return strconv.AppendInt(dst, int64(v), 10), nil
	}
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return nil, err
	}
	return append(dst, bytes.TrimSuffix(b.Bytes(), []byte{'\n'})...), nil
}

// plainText tells whether s stands in JSON as it is.
func plainText(s string) bool {
	for i := range len(s) {
		if c := s[i]; c < ' ' || c == '"' || c == '\\' || c > '~' {
			return false
		}
	}
	return true
}

func (e *encoder) appendAttachment(dst, attachment []byte) []byte {
	e.attachments = append(e.attachments, attachment)
	dst = append(dst, `{"_placeholder":true,"num":`...)
	return append(strconv.AppendInt(dst, int64(len(e.attachments)-1), 10), '}')
}

// appendArg writes what a client sent, its attachments among those of this packet.
func (e *encoder) appendArg(dst []byte, a Arg) ([]byte, error) {
	switch {
	case a.binary != nil:
		return e.appendAttachment(dst, a.binary), nil
	case a.split == nil:
		return append(dst, a.json...), nil
	}
	r := replacer{from: &attachments{bytes: a.split.Attachments}, text: a.split.JSON, place: e.appendAttachment}
	err := r.run()
	return append(dst, r.out...), err
}

func (e *encoder) appendObject(dst []byte, object map[string]any) ([]byte, error) {
	keys := make([]string, 0, len(object))
	for k := range object {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	dst = append(dst, '{')
	for i, k := range keys {
		if i > 0 {
			dst = append(dst, ',')
		}
		var err error
		if dst, err = e.appendValue(dst, k); err != nil {
			return nil, err
		}
		if dst, err = e.appendValue(append(dst, ':'), object[k]); err != nil {
			return nil, err
		}
	}
	return append(dst, '}'), nil
}
