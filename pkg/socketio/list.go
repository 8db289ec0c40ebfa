package socketio

import (
	"bytes"
	"slices"

	"github.com/pona-realtime/pona/pkg/msgpack"
)

// maxDepth bounds how deep lists and objects may stand in each other, whichever way a packet travels.
const maxDepth = msgpack.MaxDepth

// tooDeep tells whether a JSON text, known to be valid, exceeds maxDepth.
func tooDeep(text []byte) bool {
	opened := 0
	for some := range slices.Chunk(text, part) {
		opened += bytes.Count(some, []byte{'['}) + bytes.Count(some, []byte{'{'})
	}
	if opened <= maxDepth {
		return false
	}
	depth := 0
	for i := 0; i < len(text); i++ {
		switch text[i] {
		case '"':
			i = endOfString(text, i)
		case '[', '{':
			if depth++; depth > maxDepth {
				return true
			}
		case ']', '}':
			depth--
		}
	}
	return false
}

// endOfString returns where the JSON string that begins at text[i] has its closing quote.
func endOfString(text []byte, i int) int {
	for i++; text[i] != '"'; i++ {
		if text[i] == '\\' {
			i++
		}
	}
	return i
}

// cutValue takes the first value off a comma-separated run of them, known to be valid.
func cutValue(run []byte) (value, rest []byte) {
	depth := 0
	for i := 0; i < len(run); i++ {
		switch run[i] {
		case '"':
			i = endOfString(run, i)
		case '[', '{':
			depth++
		case ']', '}':
			depth--
		case ',':
			if depth == 0 {
				return bytes.TrimSpace(run[:i]), run[i+1:]
			}
		}
	}
	return bytes.TrimSpace(run), nil
}
