package engineio

import (
	"bytes"
	"errors"
	"testing"
)

func TestDecodePacket(t *testing.T) {
	tests := []struct {
		text string
		want Packet
		err  error
	}{
		{"0{}", Packet{Type: PacketOpen, Data: []byte("{}")}, nil},
		{"1", Packet{Type: PacketClose}, nil},
		{"2probe", Packet{Type: PacketPing, Data: []byte("probe")}, nil},
		{"3", Packet{Type: PacketPong}, nil},
		{"4", Packet{Type: PacketMessage}, nil},
		{"4héllo", Packet{Type: PacketMessage, Data: []byte("héllo")}, nil},
		{"5", Packet{Type: PacketUpgrade}, nil},
		{"6", Packet{Type: PacketNoop}, nil},
		{"bAQI=", Packet{Type: PacketMessage, Binary: true, Data: []byte{1, 2}}, nil},
		{"bAQI", Packet{Type: PacketMessage, Binary: true, Data: []byte{1, 2}}, nil},
		{"b", Packet{Type: PacketMessage, Binary: true}, nil},
		{"", Packet{}, errPacketEmpty},
		{"7", Packet{}, errPacketType},
		{"/", Packet{}, errPacketType},
		{"abc", Packet{}, errPacketType},
		{"b!", Packet{}, errPacketBase64},
	}
	for _, tt := range tests {
		t.Run(tt.text, func(t *testing.T) {
			got, err := decodePacket([]byte(tt.text))
			if !errors.Is(err, tt.err) || !equalPackets(got, tt.want) {
				t.Errorf("decodePacket(%q) = %+v, %v; want %+v, %v", tt.text, got, err, tt.want, tt.err)
			}
		})
	}
}

func TestPayloadPackets(t *testing.T) {
	tests := []struct {
		payload string
		want    []string // each packet encoded again
		err     error    // after these
	}{
		{"4a", []string{"4a"}, nil},
		{"4a\x1ebAQI=\x1e3", []string{"4a", "bAQI=", "3"}, nil},
		{"4a\x1eabc\x1e4b", []string{"4a"}, errPacketType},
		{"4a\x1e", []string{"4a"}, errPacketEmpty},
		{"", nil, errPacketEmpty},
	}
	for _, tt := range tests {
		t.Run(tt.payload, func(t *testing.T) {
			var got []string
			var last error
			for p, err := range payloadPackets([]byte(tt.payload)) {
				if last != nil {
					t.Fatal("a packet follows the error")
				}
				if last = err; err == nil {
					got = append(got, string(appendPacket(nil, p)))
				}
			}
			if !errors.Is(last, tt.err) || len(got) != len(tt.want) {
				t.Fatalf("got %q, %v; want %q, %v", got, last, tt.want, tt.err)
			}
			for i := range got {
				if got[i] != tt.want[i] {
					t.Errorf("packet %d is %q, want %q", i, got[i], tt.want[i])
				}
			}
		})
	}
}

func equalPackets(a, b Packet) bool {
	return a.Type == b.Type && a.Binary == b.Binary && bytes.Equal(a.Data, b.Data)
}
