// Package msgpack carries JSON values with binary attachments over MessagePack, in the dialect of npm
// notepack.io 3.0, which Socket.IO's Redis adapter and its MessagePack parser speak.
//
// The truth is github.com/msgpack/msgpack/blob/master/spec.md, and what notepack.io writes and reads:
//
//   - integral numbers travel as the shortest integer, others as 64-bit floats; beyond 64 bits as floats
//   - a Date (extension -1, or 0 of older versions) is read as its ISO text with milliseconds
//   - an undefined of older versions is null in a list, and no member of a map
//   - an ArrayBuffer of older versions (extension 0) is an attachment
//   - any other extension is the list [type, attachment]
//
// Texts and numbers keep their value: an integer is never forced through a float. The package holds no
// state; everything is safe for concurrent use.
package msgpack

import "errors"

// Value is a JSON value whose binary leaves stand beside it, as in a Socket.IO packet
// (github.com/socketio/socket.io-protocol, § Packet encoding).
type Value struct {
	// JSON is the text. An object {"_placeholder":true,"num":n} in it stands for Attachments[n],
	// unless there are no attachments at all.
	JSON []byte
	// Attachments are the binary leaves.
	Attachments [][]byte
}

const (
	// MaxDepth bounds how deep lists and maps may stand in each other.
	MaxDepth = 512
	// MaxAttachments bounds what Read takes; so its result has at most six times the bytes it read,
	// and these.
	MaxAttachments = 1000
)

var (
	errJSON        = errors.New("msgpack: not JSON")
	errDepth       = errors.New("msgpack: more than 512 levels")
	errAttachment  = errors.New("msgpack: a placeholder without attachment")
	errAttachments = errors.New("msgpack: more than 1000 attachments")
	errAmbiguous   = errors.New("msgpack: a map that looks like a placeholder, beside attachments")
	errShort       = errors.New("msgpack: cut short")
	errKey         = errors.New("msgpack: a map's key is neither text nor integer")
	errPrefix      = errors.New("msgpack: unknown prefix")
)

const placeholderKey = "_placeholder"

// PlaceholderStart is what [Read] writes in the place of Attachments[n], followed by n and a brace. It never stands within quotes.
const PlaceholderStart = `{"` + placeholderKey + `":true,"num":`
