package socketio

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"slices"
	"strconv"
	"unicode/utf8"
)

// Raw is a JSON value that is sent byte for byte. So is a json.RawMessage.
type Raw []byte

// Args are the arguments of an event or acknowledgement.
type Args []Arg

// Arg is one argument, as the client wrote it.
type Arg struct {
	json   json.RawMessage
	binary []byte
}

// JSON is the value as the client wrote it; attachments stand in it as base64 strings.
func (a Arg) JSON() json.RawMessage { return a.json }

// Bytes is the attachment, where the whole argument is one.
func (a Arg) Bytes() ([]byte, bool) { return a.binary, a.binary != nil }

// Decode stores the value in v, as json.Unmarshal does.
func (a Arg) Decode(v any) error { return json.Unmarshal(a.json, v) }

// eventName reads the first argument of an event: a text, or a number as it is written.
func (a Arg) eventName() (name string, err error) {
	switch first := a.json[0]; {
	case first == '-' || first >= '0' && first <= '9':
		return string(a.json), nil
	case first != '"':
		return "", errInvalidPayload
	case bytes.IndexByte(a.json, '\\') < 0 && utf8.Valid(a.json):
		name = string(a.json[1 : len(a.json)-1])
	default:
		err = a.Decode(&name)
	}
	if err != nil || reserved[name] {
		return "", errInvalidPayload
	}
	return name, nil
}

// placeholder stands where an attachment was (§ Packet encoding).
type placeholder struct {
	Placeholder bool `json:"_placeholder"`
	Num         *int `json:"num"`
}

var errPlaceholder = errors.New("socketio: illegal attachments")

// attach puts the attachments in place of their placeholders.
func (a *Arg) attach(attachments [][]byte) error {
	if !bytes.Contains(a.json, []byte(`"_placeholder"`)) {
		return nil
	}
	if b, ok, err := resolve(a.json, attachments); err != nil {
		return err
	} else if ok {
		a.binary = b
		a.json = base64JSON(b)
		return nil
	}
	out, err := replaceNested(a.json, attachments, maxPlaceholderDepth)
	a.json = out
	return err
}

// resolve returns the attachment if value is a placeholder.
func resolve(value json.RawMessage, attachments [][]byte) ([]byte, bool, error) {
	var p placeholder
	if value[0] != '{' || json.Unmarshal(value, &p) != nil || !p.Placeholder {
		return nil, false, nil
	}
	if p.Num == nil || *p.Num < 0 || *p.Num >= len(attachments) {
		return nil, false, errPlaceholder
	}
	return attachments[*p.Num], true, nil
}

func base64JSON(b []byte) json.RawMessage {
	out := base64.StdEncoding.AppendEncode([]byte{'"'}, b)
	return append(out, '"')
}

// maxPlaceholderDepth bounds how deep in an argument an attachment may stand: each level reads the
// text again, so that without a bound the cost were the text's size times its depth.
const maxPlaceholderDepth = 64

// replaceNested rewrites an object or list, depth levels of it at most.
func replaceNested(value json.RawMessage, attachments [][]byte, depth int) (json.RawMessage, error) {
	if !bytes.Contains(value, []byte(`"_placeholder"`)) {
		return value, nil
	}
	if b, ok, err := resolve(value, attachments); ok || err != nil {
		return base64JSON(b), err
	}
	if depth == 0 {
		return nil, errPlaceholder
	}
	switch value[0] {
	case '[':
		var list []json.RawMessage
		if err := json.Unmarshal(value, &list); err != nil {
			return nil, err
		}
		for i := range list {
			var err error
			if list[i], err = replaceNested(list[i], attachments, depth-1); err != nil {
				return nil, err
			}
		}
		return json.Marshal(list)
	case '{':
		var object map[string]json.RawMessage
		if err := json.Unmarshal(value, &object); err != nil {
			return nil, err
		}
		for k := range object {
			v, err := replaceNested(object[k], attachments, depth-1)
			if err != nil {
				return nil, err
			}
			object[k] = v
		}
		return json.Marshal(object)
	}
	return value, nil
}

// encoder writes arguments as JSON and collects the attachments: []byte, alone or inside []any and
// map[string]any. Inside other types a []byte is a base64 string, as in encoding/json.
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
		e.attachments = append(e.attachments, v)
		dst = append(dst, `{"_placeholder":true,"num":`...)
		return append(strconv.AppendInt(dst, int64(len(e.attachments)-1), 10), '}'), nil
	case []any:
		return e.appendList(dst, v)
	case map[string]any:
		return e.appendObject(dst, v)
	}
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return nil, err
	}
	return append(dst, bytes.TrimSuffix(b.Bytes(), []byte{'\n'})...), nil
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
