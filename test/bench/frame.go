package main

import (
	"encoding/binary"
	"errors"
)

// What a WebSocket client needs of RFC 6455 § 5.2 and no more: whole, uncompressed messages.
const (
	opText   = 0x1
	opBinary = 0x2
	opClose  = 0x8
	opPing   = 0x9
	opPong   = 0xA
)

var errFragmented = errors.New("fragmented or compressed frame, which this client did not ask for")

// readFrame takes one frame from the start of b. size is its length with the header, 0 while b does
// not hold all of it.
func readFrame(b []byte) (op byte, payload []byte, size int, err error) {
	if len(b) < 2 {
		return 0, nil, 0, nil
	}
	if b[0]&0xF0 != 0x80 || b[1]&0x80 != 0 {
		return 0, nil, 0, errFragmented
	}
	head, length := 2, uint64(b[1])
	switch {
	case length == 126 && len(b) >= 4:
		head, length = 4, uint64(binary.BigEndian.Uint16(b[2:]))
	case length == 127 && len(b) >= 10:
		head, length = 10, binary.BigEndian.Uint64(b[2:])
	case length >= 126:
		return 0, nil, 0, nil
	}
	if uint64(len(b)-head) < length {
		return 0, nil, 0, nil
	}
	size = head + int(length)
	return b[0] & 0x0F, b[head:size], size, nil
}

// frame is a client's frame. The mask is zero, which every server must take and costs us nothing.
func frame(op byte, payload string) []byte {
	b := []byte{0x80 | op}
	switch n := len(payload); {
	case n < 126:
		b = append(b, 0x80|byte(n))
	case n < 1<<16:
		b = append(b, 0x80|126, byte(n>>8), byte(n))
	default:
		b = binary.BigEndian.AppendUint64(append(b, 0x80|127), uint64(n))
	}
	return append(append(b, 0, 0, 0, 0), payload...)
}
