package player

import (
	"encoding/base64"
	"encoding/json"
	"errors"
)

// Encoding is how a client wants the arguments that are whole JSON texts, such as tracks and queues.
// Whichever it is, the text itself is the bot's, byte for byte.
type Encoding uint8

// The encodings, by their names in the payload of CONNECT.
const (
	Base64 Encoding = iota // "base64", the default: a string, the base64 of the text
	JSON                   // "json": the value itself, a third smaller
	Binary                 // "binary": the text's bytes, as an attachment or in a MessagePack packet
)

// ErrEncoding refuses a CONNECT whose encoding is none of these.
var ErrEncoding = errors.New(`encoding must be "base64", "json" or "binary"`)

// EncodingOf reads the field encoding of a CONNECT's payload, a JSON object. Without it, or with null,
// it is Base64.
func EncodingOf(payload []byte) (Encoding, error) {
	chosen := field(scan(payload), "encoding")
	switch chosen.Raw {
	case "", "null", `"base64"`:
		return Base64, nil
	case `"json"`:
		return JSON, nil
	case `"binary"`:
		return Binary, nil
	}
	return Base64, ErrEncoding
}

// In returns the argument in an encoding: a json.RawMessage, or the bytes as a []byte.
func (a Arg) In(e Encoding) any {
	switch {
	case !a.Encoded || e == JSON:
		return json.RawMessage(a.JSON)
	case e == Binary:
		return a.JSON
	}
	text := make([]byte, 0, base64.StdEncoding.EncodedLen(len(a.JSON))+2)
	text = append(text, '"')
	text = base64.StdEncoding.AppendEncode(text, a.JSON)
	return json.RawMessage(append(text, '"'))
}

// ArgsIn returns the emit's arguments in an encoding.
func (e Emit) ArgsIn(encoding Encoding) []any {
	args := make([]any, len(e.Args))
	for i, a := range e.Args {
		args[i] = a.In(encoding)
	}
	return args
}
