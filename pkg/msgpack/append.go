package msgpack

import (
	"bytes"
	"encoding/json"
	"math"
	"slices"
	"strconv"
	"unicode/utf8"

	"github.com/tinylib/msgp/msgp"
)

// Append appends the MessagePack form of v to dst. Text that is not JSON, a placeholder without its
// attachment and more than [MaxDepth] levels are errors.
func Append(dst []byte, v Value) ([]byte, error) {
	if !json.Valid(v.JSON) {
		return nil, errJSON
	}
	w := writer{text: v.JSON, attachments: v.Attachments}
	return w.value(dst, MaxDepth)
}

// writer walks once through text that is known to be JSON.
type writer struct {
	text        []byte
	at          int
	attachments [][]byte
}

// next passes white space and separators, and returns the byte after them.
func (w *writer) next() byte {
	for {
		switch c := w.text[w.at]; c {
		case ' ', '\t', '\n', '\r', ',', ':':
			w.at++
		default:
			return c
		}
	}
}

func (w *writer) value(dst []byte, depth int) ([]byte, error) {
	if depth == 0 {
		return nil, errDepth
	}
	switch w.next() {
	case '{':
		return w.object(dst, depth)
	case '[':
		return w.list(dst, depth)
	case '"':
		return msgp.AppendStringFromBytes(dst, w.string()), nil
	}
	switch literal := w.literal(); literal[0] {
	case 'n':
		return msgp.AppendNil(dst), nil
	case 't', 'f':
		return msgp.AppendBool(dst, literal[0] == 't'), nil
	default:
		return appendNumber(dst, string(literal)), nil
	}
}

func (w *writer) list(dst []byte, depth int) (_ []byte, err error) {
	start, n := len(dst), uint32(0)
	dst = append(dst, 0)
	for w.at++; w.next() != ']'; n++ {
		if dst, err = w.value(dst, depth-1); err != nil {
			return nil, err
		}
	}
	w.at++
	return setHeader(dst, start, msgp.AppendArrayHeader(nil, n)), nil
}

func (w *writer) object(dst []byte, depth int) (_ []byte, err error) {
	start, n := len(dst), uint32(0)
	var placeholder bool
	var num []byte
	dst = append(dst, 0)
	for w.at++; w.next() != '}'; n++ {
		key := w.string()
		dst = msgp.AppendStringFromBytes(dst, key)
		w.next()
		from := w.at
		if dst, err = w.value(dst, depth-1); err != nil {
			return nil, err
		}
		switch string(key) {
		case placeholderKey:
			placeholder = string(w.text[from:w.at]) == "true"
		case "num":
			num = w.text[from:w.at]
		}
	}
	w.at++
	if placeholder && len(w.attachments) > 0 {
		i, err := strconv.ParseUint(string(num), 10, 31)
		if err != nil || int(i) >= len(w.attachments) {
			return nil, errAttachment
		}
		return msgp.AppendBytes(dst[:start], w.attachments[i]), nil
	}
	return setHeader(dst, start, msgp.AppendMapHeader(nil, n)), nil
}

// setHeader puts a container's header where one byte was left for it.
func setHeader(dst []byte, at int, header []byte) []byte {
	dst[at] = header[0]
	return slices.Insert(dst, at+1, header[1:]...)
}

// string reads a text and returns its UTF-8; what is none becomes U+FFFD.
func (w *writer) string() []byte {
	start := w.at
	for w.at++; w.text[w.at] != '"'; w.at++ {
		if w.text[w.at] == '\\' {
			w.at++
		}
	}
	w.at++
	quoted := w.text[start:w.at]
	if plain := quoted[1 : len(quoted)-1]; !bytes.ContainsRune(plain, '\\') && utf8.Valid(plain) {
		return plain
	}
	var s string
	_ = json.Unmarshal(quoted, &s) // is a JSON text
	return []byte(s)
}

// literal reads a number, true, false or null.
func (w *writer) literal() []byte {
	start := w.at
	for w.at < len(w.text) && !bytes.ContainsRune([]byte(" \t\n\r,:]}"), rune(w.text[w.at])) {
		w.at++
	}
	return w.text[start:w.at]
}

// appendNumber writes a JSON number: an integer where it is integral and has 64 bits, else a float, which
// is infinite beyond a float's range, as in JavaScript.
func appendNumber(dst []byte, text string) []byte {
	if u, err := strconv.ParseUint(text, 10, 64); err == nil {
		return msgp.AppendUint64(dst, u)
	}
	if i, err := strconv.ParseInt(text, 10, 64); err == nil {
		return appendInt(dst, i)
	}
	f, _ := strconv.ParseFloat(text, 64) // infinite with an error
	switch integral := f == math.Trunc(f); {
	case integral && f >= 0 && f < 1<<64:
		return msgp.AppendUint64(dst, uint64(f))
	case integral && f < 0 && f > -1<<63: // what is that, and not written so, was below
		return msgp.AppendInt64(dst, int64(f))
	}
	return msgp.AppendFloat64(dst, f)
}

func appendInt(dst []byte, i int64) []byte {
	if i >= 0 { // -0
		return msgp.AppendUint64(dst, uint64(i))
	}
	return msgp.AppendInt64(dst, i)
}
