package engineio

import (
	"bytes"
	"encoding/binary"
	"io"
	"strings"
	"testing"

	"github.com/klauspost/compress/flate"
)

// cutWebSocketFrame takes the first frame from b (RFC 6455, § 5.2) and refuses a masked one.
func cutWebSocketFrame(t *testing.T, b []byte) (first byte, body, rest []byte) {
	t.Helper()
	if len(b) < 2 || b[1]&0x80 != 0 {
		t.Fatalf("no unmasked frame: %x", b[:min(len(b), 10)])
	}
	first, n, header := b[0], uint64(b[1]), 2
	switch n {
	case 126:
		n, header = uint64(binary.BigEndian.Uint16(b[2:])), 4
	case 127:
		n, header = binary.BigEndian.Uint64(b[2:]), 10
	}
	if uint64(len(b)-header) < n {
		t.Fatalf("a frame of %d bytes has only %d", n, len(b)-header)
	}
	return first, b[header : header+int(n)], b[header+int(n):]
}

// inflate reads a compressed message (RFC 7692, § 7.2.2): the four bytes left out come back; a final
// block ends the stream.
func inflate(t *testing.T, body []byte) []byte {
	t.Helper()
	out, err := io.ReadAll(flate.NewReader(io.MultiReader(bytes.NewReader(body), strings.NewReader("\x00\x00\xff\xff\x01\x00\x00\xff\xff"))))
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func TestWebSocketHeaderLengths(t *testing.T) {
	tests := []struct {
		length int
		want   []byte
	}{
		{0, []byte{0x82, 0}},
		{125, []byte{0x82, 125}},
		{126, []byte{0x82, 126, 0, 126}},
		{65535, []byte{0x82, 126, 0xff, 0xff}},
		{65536, []byte{0x82, 127, 0, 0, 0, 0, 0, 1, 0, 0}},
	}
	for _, tt := range tests {
		data := bytes.Repeat([]byte{7}, tt.length)
		got := NewFrame(Message{Binary: true, Data: data}).webSocket()
		if !bytes.Equal(got, append(tt.want, data...)) {
			t.Errorf("%d bytes: header % x, want % x", tt.length, got[:len(got)-tt.length], tt.want)
		}
	}
}

func TestFrameText(t *testing.T) {
	f := NewFrame(Message{Data: []byte("hi")}, Message{Binary: true, Data: []byte{1, 2}})
	if got, want := string(f.webSocket()), "\x81\x034hi\x82\x02\x01\x02"; got != want {
		t.Errorf("on WebSocket %q, want %q", got, want)
	}
	if got, want := string(f.polling()), "4hi\x1ebAQI="; got != want {
		t.Errorf("on polling %q, want %q", got, want)
	}
	if f.Size() != 4 {
		t.Errorf("Size() = %d, want 4", f.Size())
	}
}

func TestDeflatedFrame(t *testing.T) {
	long := []byte(strings.Repeat("the same words ", 200))
	f := NewFrame(Message{Data: []byte("short")}, Message{Data: long}, Message{Binary: true, Data: long})
	b := f.deflatedWebSocket(&PerMessageDeflate{})

	first, body, b := cutWebSocketFrame(t, b)
	if first != wsFinal|wsText || string(body) != "4short" {
		t.Errorf("below the threshold: %x %q", first, body)
	}
	for _, want := range []struct {
		first byte
		data  []byte
	}{
		{wsFinal | wsRSV1 | wsText, append([]byte("4"), long...)},
		{wsFinal | wsRSV1 | wsBinary, long},
	} {
		first, body, b = cutWebSocketFrame(t, b)
		if first != want.first || len(body) >= len(want.data)/4 {
			t.Errorf("first byte %x (want %x), %d bytes from %d", first, want.first, len(body), len(want.data))
		}
		if got := inflate(t, body); !bytes.Equal(got, want.data) {
			t.Errorf("inflates to %d bytes; want %d", len(got), len(want.data))
		}
	}
	if len(b) != 0 {
		t.Errorf("%d bytes too many", len(b))
	}
}

func TestJoinFrames(t *testing.T) {
	one, two := NewFrame(Message{Data: []byte("one")}), NewFrame(Message{Data: []byte("two")}, Message{Binary: true, Data: []byte{1}})
	if JoinFrames(one) != one {
		t.Error("one frame alone is not itself")
	}
	joined := JoinFrames(one, two)
	if got, want := string(joined.webSocket()), string(one.webSocket())+string(two.webSocket()); got != want {
		t.Errorf("on WebSocket %q, want %q", got, want)
	}
	if got, want := string(joined.polling()), "4one\x1e4two\x1ebAQ=="; got != want {
		t.Errorf("on polling %q, want %q", got, want)
	}
	if joined.Size() != 7 {
		t.Errorf("Size() = %d, want 7", joined.Size())
	}
}
