package engineio

import (
	"bytes"
	"testing"
)

// goldenPackets are what the tests of answers send, valid or not; testdata/fuzz keeps what the fuzzer
// found worth trying besides.
var goldenPackets = []string{
	"", "0{}", `0{"sid":"x","upgrades":[]}`, "1", "2", "2probe", "2foo", "3", "3probe", "4", "4hello", "4пойду спать",
	"5", "6", "7", "9", "abc", "bAQI=", "bAQI", "b=", "b", "b!", "b\n", "b====", "4\x00", "4\xff", "40", "42[\"a\",1]", "451-[{}]",
}

// FuzzDecodePacket checks that what decodes can be encoded and decoded to the same packet, and that the
// decoder leaves its input alone.
func FuzzDecodePacket(f *testing.F) {
	for _, seed := range goldenPackets {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		before := bytes.Clone(text)
		p, err := decodePacket(text)
		if !bytes.Equal(text, before) {
			t.Fatalf("%q became %q", before, text)
		}
		if err != nil {
			return
		}
		if p.Binary && p.Type != PacketMessage {
			t.Errorf("%q is a binary %q", text, p.Type)
		}
		encoded := appendPacket(nil, p)
		again, err := decodePacket(encoded)
		if err != nil || !equalPackets(p, again) {
			t.Errorf("%q decodes to %+v, which encodes to %q, which decodes to %+v, %v", text, p, encoded, again, err)
		}
	})
}

// FuzzPayloadPackets checks that a payload yields what its parts decode to, up to the first that does
// not.
func FuzzPayloadPackets(f *testing.F) {
	for i, seed := range goldenPackets {
		f.Add([]byte(seed))
		f.Add([]byte("4a\x1e" + seed + "\x1e3"))
		f.Add([]byte(seed + "\x1e\x1e" + goldenPackets[(i+1)%len(goldenPackets)]))
	}
	f.Fuzz(func(t *testing.T, payload []byte) {
		parts := bytes.Split(payload, []byte{separator})
		for p, err := range payloadPackets(payload) {
			if len(parts) == 0 {
				t.Fatalf("%q yields more than it holds", payload)
			}
			want, wantErr := decodePacket(parts[0])
			if (err == nil) != (wantErr == nil) || !equalPackets(p, want) {
				t.Fatalf("%q yields %+v, %v where %q stands", payload, p, err, parts[0])
			}
			parts = parts[1:]
			if err != nil {
				return
			}
		}
		if len(parts) != 0 {
			t.Fatalf("%q: %d parts were passed over", payload, len(parts))
		}
	})
}

// FuzzFrame checks that each way of encoding messages decodes to them again.
func FuzzFrame(f *testing.F) {
	f.Add([]byte("hello"), []byte{1, 2}, true)
	f.Add([]byte(""), []byte(""), false)
	f.Add(bytes.Repeat([]byte("a"), 1023), bytes.Repeat([]byte{0}, 126), true)
	f.Fuzz(func(t *testing.T, text, data []byte, binary bool) {
		if bytes.IndexByte(text, separator) >= 0 || !binary && bytes.IndexByte(data, separator) >= 0 {
			return // JSON never holds one
		}
		messages := []Message{{Data: text}, {Binary: binary, Data: data}}
		frame := NewFrame(messages...)
		i := 0
		for p, err := range payloadPackets(frame.polling()) {
			if err != nil || i >= len(messages) || p.Type != PacketMessage || p.Binary != messages[i].Binary || !bytes.Equal(p.Data, messages[i].Data) {
				t.Fatalf("polling: packet %d is %+v, %v", i, p, err)
			}
			i++
		}
		for _, b := range [][]byte{frame.webSocket(), frame.deflatedWebSocket(&PerMessageDeflate{Threshold: 1})} {
			for _, m := range messages {
				var first byte
				var body []byte
				first, body, b = cutWebSocketFrame(t, b)
				if first&wsRSV1 != 0 {
					body = inflate(t, body)
				}
				if !m.Binary {
					if len(body) == 0 || body[0] != byte(PacketMessage) {
						t.Fatalf("WebSocket: text %q has no type", body)
					}
					body = body[1:]
				}
				if opcode := first & 0xf; (opcode == wsBinary) != m.Binary || first&wsFinal == 0 || !bytes.Equal(body, m.Data) {
					t.Fatalf("WebSocket: first byte %x, %q, want %q", first, body, m.Data)
				}
			}
			if len(b) != 0 {
				t.Fatalf("%d bytes too many", len(b))
			}
		}
	})
}
