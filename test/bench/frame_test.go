package main

import (
	"bytes"
	"strings"
	"testing"
)

func TestReadFrame(t *testing.T) {
	long := strings.Repeat("x", 300)
	huge := strings.Repeat("y", 70_000)
	for _, test := range []struct {
		name    string
		in      string
		op      byte
		payload string
		size    int
		bad     bool
	}{
		{"short", "\x81\x022x more", opText, "2x", 4, false},
		{"16 bits of length", "\x81\x7e\x01\x2c" + long, opText, long, 304, false},
		{"64 bits of length", "\x81\x7f\x00\x00\x00\x00\x00\x01\x11\x70" + huge, opText, huge, 70_010, false},
		{"ping", "\x89\x00", opPing, "", 2, false},
		{"nothing", "", 0, "", 0, false},
		{"half a head", "\x81\x7e\x01", 0, "", 0, false},
		{"half a payload", "\x81\x052x", 0, "", 0, false},
		{"fragment", "\x01\x022x", 0, "", 0, true},
		{"compressed", "\xc1\x022x", 0, "", 0, true},
		{"masked", "\x81\x822x", 0, "", 0, true},
	} {
		op, payload, size, err := readFrame([]byte(test.in))
		if op != test.op || string(payload) != test.payload || size != test.size || (err != nil) != test.bad {
			t.Errorf("%s: op %d, %d bytes of payload, size %d, %v", test.name, op, len(payload), size, err)
		}
	}
}

func TestFrameIsMaskedWithZeros(t *testing.T) {
	if got := frame(opText, "3"); !bytes.Equal(got, []byte("\x81\x81\x00\x00\x00\x003")) {
		t.Errorf("got %x", got)
	}
	if got := frame(opText, strings.Repeat("x", 200)); !bytes.HasPrefix(got, []byte("\x81\xfe\x00\xc8\x00\x00\x00\x00x")) || len(got) != 208 {
		t.Errorf("got %d bytes, %x", len(got), got[:9])
	}
}
