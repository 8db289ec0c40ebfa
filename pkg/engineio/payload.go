package engineio

import (
	"bytes"
	"iter"
)

// separator stands between the packets of a polling payload (§ HTTP long-polling).
const separator = 0x1e

// payloadPackets yields the packets of a polling payload one after another, so that a payload of
// millions of them costs no more than the largest. It stops after the first error.
func payloadPackets(payload []byte) iter.Seq2[Packet, error] {
	return func(yield func(Packet, error) bool) {
		for more := true; more; {
			var text []byte
			text, payload, more = bytes.Cut(payload, []byte{separator})
			p, err := decodePacket(text)
			if !yield(p, err) || err != nil {
				return
			}
		}
	}
}
