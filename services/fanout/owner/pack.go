package owner

import (
	"fmt"

	"github.com/klauspost/compress/s2"
)

// A state of packAbove bytes or more is stored compressed, behind packed, a byte that begins no
// protobuf message. So a queue and a current track that are each as large as an event may be still
// fit into one message of NATS.
const (
	packAbove = 64 << 10
	packed    = 0
	mostState = 256 << 20 // bytes that a stored state may unpack to
)

// pack gives the bytes under which a state is stored.
func pack(encoded []byte) []byte {
	if len(encoded) < packAbove {
		return encoded
	}
	out := make([]byte, 1+s2.MaxEncodedLen(len(encoded)))
	out[0] = packed
	return out[:1+len(s2.Encode(out[1:], encoded))]
}

// unpack reads what pack wrote.
func unpack(stored []byte) ([]byte, error) {
	if len(stored) == 0 || stored[0] != packed {
		return stored, nil
	}
	n, err := s2.DecodedLen(stored[1:])
	if err != nil {
		return nil, err
	}
	if n > mostState {
		return nil, fmt.Errorf("a packed state of %d bytes, must be at most %d", n, mostState)
	}
	return s2.Decode(nil, stored[1:])
}
