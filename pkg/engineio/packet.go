package engineio

import (
	"encoding/base64"
	"errors"
)

// PacketType is the first character of an encoded packet (§ Packet types).
type PacketType byte

// The packet types of § Packet types.
const (
	PacketOpen    PacketType = '0'
	PacketClose   PacketType = '1'
	PacketPing    PacketType = '2'
	PacketPong    PacketType = '3'
	PacketMessage PacketType = '4'
	PacketUpgrade PacketType = '5'
	PacketNoop    PacketType = '6'
)

// Message is what the application sends and receives: UTF-8 text or bytes.
type Message struct {
	Binary bool
	Data   []byte

	turn *turn // see Parsed; nil: none
}

// webSocketSize is the number of bytes the message has on WebSocket, without its frame's header: text
// has its type in front, bytes stand alone.
func (m *Message) webSocketSize() int {
	if m.Binary {
		return len(m.Data)
	}
	return 1 + len(m.Data)
}

// Packet is one unit of the protocol. Only a message packet can be binary.
type Packet struct {
	Type   PacketType
	Binary bool
	Data   []byte

	turn *turn // of whoever received it; nil: none
}

var (
	errPacketEmpty  = errors.New("engineio: empty packet")
	errPacketType   = errors.New("engineio: unknown packet type")
	errPacketBase64 = errors.New("engineio: binary packet is not base64")
)

// decodePacket reads a packet from text: a type digit and its data, or "b" and base64
// (§ Packet encoding). The packet shares text's memory, except for base64.
func decodePacket(text []byte) (Packet, error) {
	if len(text) == 0 {
		return Packet{}, errPacketEmpty
	}
	if text[0] == 'b' {
		data, err := decodeBase64(text[1:])
		if err != nil {
			return Packet{}, errPacketBase64
		}
		return Packet{Type: PacketMessage, Binary: true, Data: data}, nil
	}
	if text[0] < byte(PacketOpen) || text[0] > byte(PacketNoop) {
		return Packet{}, errPacketType
	}
	return Packet{Type: PacketType(text[0]), Data: text[1:]}, nil
}

// appendPacket appends the packet's text form.
func appendPacket(dst []byte, p Packet) []byte {
	if p.Binary {
		return base64.StdEncoding.AppendEncode(append(dst, 'b'), p.Data)
	}
	return append(append(dst, byte(p.Type)), p.Data...)
}

// decodeBase64 takes padded and unpadded input, as clients of either kind exist.
func decodeBase64(text []byte) ([]byte, error) {
	for len(text) > 0 && text[len(text)-1] == '=' {
		text = text[:len(text)-1]
	}
	return base64.RawStdEncoding.AppendDecode(nil, text)
}
