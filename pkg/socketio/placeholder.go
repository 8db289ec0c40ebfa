package socketio

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"strconv"

	"github.com/pona-realtime/pona/pkg/adapter"
)

// An attachment's place in the text is held by an object such as {"_placeholder":true,"num":0}
// (§ Packet encoding). Other members of it mean nothing.

var errPlaceholder = errors.New("socketio: illegal attachments")

// attachments of a packet. Each can be in one place only: with more, a text of a few bytes a place
// would make copies of a large attachment without number. (Official clients never do it.)
type attachments struct {
	bytes [][]byte
	used  [maxAttachments]bool
}

// take returns the attachment that a placeholder names.
func (a *attachments) take(num []byte) ([]byte, error) {
	n, err := strconv.Atoi(string(num))
	if err != nil || n < 0 || n >= len(a.bytes) || a.used[n] {
		return nil, errPlaceholder
	}
	a.used[n] = true
	if a.bytes[n] == nil {
		return []byte{}, nil
	}
	return a.bytes[n], nil
}

// attach puts the attachments in place of their placeholders: as bytes where the argument is one, and as
// base64 strings further inside. It reads the text once, however deep it is.
func (a *Arg) attach(from *attachments) error {
	if bytes.IndexByte(a.json, '{') < 0 {
		return nil
	}
	r := replacer{from: from, text: a.json, out: make([]byte, 0, len(a.json))}
	if err := r.run(); err != nil {
		return err
	}
	switch {
	case r.whole != nil:
		a.json, a.binary = nil, r.whole
	case r.nested:
		a.split = &adapter.Value{JSON: a.json, Attachments: from.bytes}
		a.json = r.out
	}
	return nil
}

// replacer copies a JSON text, known to be valid, with its placeholders replaced.
type replacer struct {
	from   *attachments
	text   []byte
	out    []byte
	open   []object // innermost last
	whole  []byte   // the attachment, where the text is but a placeholder
	nested bool     // something has been replaced further inside

	place func(out, attachment []byte) []byte // what goes in a placeholder's place; nil: base64
}

// object is a list or an object that has begun.
type object struct {
	at     int    // in out
	list   bool   //
	key    bool   // the next string is a key
	name   string // of the member that is being read; only those that matter
	marked bool   // "_placeholder" is true
	num    []byte // as written; nil: none
}

func (r *replacer) run() error {
	for i := 0; i < len(r.text); {
		end := i + 1
		switch c := r.text[i]; c {
		case '{', '[':
			r.open = append(r.open, object{at: len(r.out), list: c == '[', key: c == '{'})
		case '"':
			end = endOfString(r.text, i) + 1
			r.string(r.text[i:end])
		case ',':
			top := &r.open[len(r.open)-1]
			top.key, top.name = !top.list, ""
		case '}', ']':
			top := r.open[len(r.open)-1]
			r.open = r.open[:len(r.open)-1]
			if !top.marked {
				break
			}
			if err := r.replace(&top); err != nil {
				return err
			}
			i = end
			continue
		case ' ', '\t', '\r', '\n', ':':
		default:
			end = i + len(literal(r.text[i:]))
			r.literal(r.text[i:end])
		}
		r.out = append(r.out, r.text[i:end]...)
		i = end
	}
	return nil
}

// string notes a key.
func (r *replacer) string(quoted []byte) {
	if len(r.open) == 0 {
		return
	}
	top := &r.open[len(r.open)-1]
	if top.key {
		top.key = false
		_ = json.Unmarshal(quoted, &top.name) // part of a valid text
		return
	}
	r.literal(quoted)
}

// literal notes the value of a member that matters; of several with one name the last counts.
func (r *replacer) literal(value []byte) {
	if len(r.open) == 0 {
		return
	}
	switch top := &r.open[len(r.open)-1]; top.name {
	case "_placeholder":
		top.marked = string(value) == "true"
	case "num":
		top.num = value
	}
}

// replace puts an attachment in the place of the object that has just ended.
func (r *replacer) replace(placeholder *object) error {
	b, err := r.from.take(placeholder.num)
	if err != nil {
		return err
	}
	if len(r.open) == 0 {
		r.whole = b
		return nil
	}
	r.nested = true
	if r.out = r.out[:placeholder.at]; r.place != nil {
		r.out = r.place(r.out, b)
		return nil
	}
	r.out = append(base64.StdEncoding.AppendEncode(append(r.out, '"'), b), '"')
	return nil
}

// literal is the number or word that text begins with.
func literal(text []byte) []byte {
	if end := bytes.IndexAny(text, ",]} \t\r\n"); end >= 0 {
		return text[:end]
	}
	return text
}

func base64JSON(b []byte) json.RawMessage {
	out := base64.StdEncoding.AppendEncode([]byte{'"'}, b)
	return append(out, '"')
}
