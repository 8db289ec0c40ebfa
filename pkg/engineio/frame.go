package engineio

import (
	"encoding/binary"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/klauspost/compress/flate"
)

// Frame is a run of messages, encoded at most once for each way it can travel, and written as one
// unit. The same Frame may be sent to any number of sessions, by any number of goroutines.
//
// The messages given to NewFrame must not be changed afterwards.
type Frame struct {
	messages []Message
	parts    []*Frame // a run of frames, in place of messages
	size     int      // bytes of all messages, for bounds
	conflate string
	joined   atomic.Pointer[joined]

	uncompressed bool

	plain, deflated, payload variant
}

// joined is the frame last made of a frame and what followed it.
type joined struct{ next, frame *Frame }

// variant is one encoding of a frame, made when it is first needed.
type variant struct {
	once  sync.Once
	bytes []byte
}

// NewFrame makes a frame of messages that belong together, such as a text and its attachments.
func NewFrame(messages ...Message) *Frame {
	f := &Frame{messages: messages}
	for _, m := range messages {
		f.size += len(m.Data)
	}
	return f
}

// JoinFrames makes one frame of several: what is due for a session at the same moment goes out in
// one write. In a queue they are apart again.
func JoinFrames(frames ...*Frame) *Frame {
	if len(frames) == 1 {
		return frames[0]
	}
	f := &Frame{parts: frames}
	for _, part := range frames {
		f.size += part.size
	}
	return f
}

// then joins f and next. A thousand sessions that are sent the same frames one after another get
// the same joined frame, made and encoded once.
func (f *Frame) then(next *Frame) *Frame {
	if j := f.joined.Load(); j != nil && j.next == next {
		return j.frame
	}
	run := &Frame{parts: slices.Concat(f.run(), next.run()), size: f.size + next.size}
	f.joined.Store(&joined{next, run})
	return run
}

// run returns the frames f was joined from, or f alone.
func (f *Frame) run() []*Frame {
	if f.parts != nil {
		return f.parts
	}
	return []*Frame{f}
}

// leaves is the number of frames that f was joined from, in the end.
func (f *Frame) leaves() (n int) {
	if f.parts == nil {
		return 1
	}
	for _, part := range f.parts {
		n += part.leaves()
	}
	return n
}

// count is the number of frames in f's run.
func (f *Frame) count() int { return max(len(f.parts), 1) }

// Conflate marks the frame: where it waits for a slow session, a newer frame with the same key
// takes its place at the end of the queue. The empty key means never. It returns f, and must be
// called before f is first sent.
func (f *Frame) Conflate(key string) *Frame {
	f.conflate = key
	return f
}

// messageCount is the number of the frame's messages.
func (f *Frame) messageCount() int {
	n := len(f.messages)
	for _, part := range f.parts {
		n += part.messageCount()
	}
	return n
}

// Uncompressed returns a frame of the same messages that WebSockets get without compression, and polls too
// where nothing else is in the payload.
func (f *Frame) Uncompressed() *Frame {
	plain := &Frame{messages: f.messages, size: f.size, conflate: f.conflate, uncompressed: true}
	for _, part := range f.parts {
		plain.parts = append(plain.parts, part.Uncompressed())
	}
	return plain
}

// Size is the number of bytes of the frame's messages, before any encoding.
func (f *Frame) Size() int { return f.size }

// webSocket returns the frame as WebSocket frames (RFC 6455, § 5), one for each message.
func (f *Frame) webSocket() []byte {
	f.plain.once.Do(func() {
		out := make([]byte, 0, f.size+len(f.messages)*11)
		for _, part := range f.parts {
			out = append(out, part.webSocket()...)
		}
		for _, m := range f.messages {
			out = appendWebSocketMessage(out, m)
		}
		f.plain.bytes = out
	})
	return f.plain.bytes
}

// deflatedWebSocket is webSocket with the messages of at least d.Threshold bytes compressed
// (RFC 7692, without context takeover, so that the result serves every session).
func (f *Frame) deflatedWebSocket(d *PerMessageDeflate) []byte {
	if f.uncompressed || f.size+1 < d.threshold() {
		return f.webSocket()
	}
	f.deflated.once.Do(func() {
		var out []byte
		for _, part := range f.parts {
			out = append(out, part.deflatedWebSocket(d)...)
		}
		for _, m := range f.messages {
			if m.webSocketSize() < d.threshold() {
				out = appendWebSocketMessage(out, m)
				continue
			}
			before := len(out)
			out = appendDeflatedMessage(out, m, d.level())
			d.counters.countDeflate(len(m.Data), len(out)-before)
		}
		f.deflated.bytes = out
	})
	return f.deflated.bytes
}

// polling returns the frame as packets of a polling payload.
func (f *Frame) polling() []byte {
	f.payload.once.Do(func() {
		out := make([]byte, 0, f.size+f.size/2+2*len(f.messages))
		for _, part := range f.parts {
			if len(out) > 0 {
				out = append(out, separator)
			}
			out = append(out, part.polling()...)
		}
		for i, m := range f.messages {
			if i > 0 {
				out = append(out, separator)
			}
			out = appendPacket(out, Packet{Type: PacketMessage, Binary: m.Binary, Data: m.Data})
		}
		f.payload.bytes = out
	})
	return f.payload.bytes
}

// The opcodes and bits of RFC 6455, § 5.2, that a server sends.
const (
	wsText   = 0x1
	wsBinary = 0x2
	wsClose  = 0x8
	wsPong   = 0xa
	wsFinal  = 0x80
	wsRSV1   = 0x40
)

// appendWebSocketHeader appends the header of an unmasked, final frame.
func appendWebSocketHeader(dst []byte, first byte, length int) []byte {
	switch {
	case length < 126:
		return append(dst, first, byte(length))
	case length < 1<<16:
		return binary.BigEndian.AppendUint16(append(dst, first, 126), uint16(length))
	default:
		return binary.BigEndian.AppendUint64(append(dst, first, 127), uint64(length))
	}
}

// appendWebSocketMessage appends a message packet: text has its type in front, bytes stand alone.
func appendWebSocketMessage(dst []byte, m Message) []byte {
	if m.Binary {
		return append(appendWebSocketHeader(dst, wsFinal|wsBinary, len(m.Data)), m.Data...)
	}
	dst = appendWebSocketHeader(dst, wsFinal|wsText, len(m.Data)+1)
	return append(append(dst, byte(PacketMessage)), m.Data...)
}

// appendWebSocketPacket appends a packet that is no message.
func appendWebSocketPacket(dst []byte, t PacketType, data string) []byte {
	dst = appendWebSocketHeader(dst, wsFinal|wsText, len(data)+1)
	return append(append(dst, byte(t)), data...)
}

// deflaters keeps idle compressors by level; one holds several hundred kilobytes.
var deflaters [flate.BestCompression + 1]sync.Pool

// sliceWriter is a byte slice that a compressor writes to.
type sliceWriter struct{ b []byte }

func (w *sliceWriter) Write(p []byte) (int, error) {
	w.b = append(w.b, p...)
	return len(p), nil
}

// appendDeflatedMessage appends m as a compressed message (RFC 7692, § 7.2.1).
func appendDeflatedMessage(dst []byte, m Message, level int) []byte {
	out := sliceWriter{make([]byte, 0, len(m.Data)/2+64)}
	fw, _ := deflaters[level].Get().(*flate.Writer)
	if fw == nil {
		fw, _ = flate.NewWriter(&out, level) // fails only for a level that PerMessageDeflate.level never yields
	} else {
		fw.Reset(&out)
	}
	opcode := byte(wsBinary)
	if !m.Binary {
		opcode = wsText
		_, _ = fw.Write([]byte{byte(PacketMessage)}) // a sliceWriter takes everything
	}
	_, _ = fw.Write(m.Data)
	_ = fw.Flush()
	deflaters[level].Put(fw)
	body := out.b[:len(out.b)-4] // the empty block 00 00 ff ff is implied
	return append(appendWebSocketHeader(dst, wsFinal|wsRSV1|opcode, len(body)), body...)
}
