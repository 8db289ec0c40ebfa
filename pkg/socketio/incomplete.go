package socketio

import (
	"bytes"
	"errors"
	"time"
)

var errPacketTooLarge = errors.New("socketio: a packet with its attachments exceeds the limit")

// incomplete is a binary packet whose attachments are on their way: up to ten messages, each as large as
// the transport allows. It is used by the connection's reader only, but for the clock.
type incomplete struct {
	packet *decoded // nil: none
	size   int64    // bytes of its text and of what has come
	clock  *time.Timer
}

// await keeps a packet until its attachments have come. The connection ends if that takes longer than an
// answer to a ping may take.
func (c *connection) await(p decoded, size int) {
	c.partial.packet, c.partial.size = &p, int64(size)
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case c.ended:
	case c.partial.clock == nil:
		c.partial.clock = time.AfterFunc(c.server.patience, c.session.Close)
	default:
		c.partial.clock.Reset(c.server.patience)
	}
}

// attach takes an attachment, and returns the packet when it was the last.
func (c *connection) attach(data []byte) (p decoded, complete bool, err error) {
	in := &c.partial
	if in.size += int64(len(data)); in.size > c.server.opts.MaxPacket {
		return p, false, errPacketTooLarge
	}
	in.packet.attachments = append(in.packet.attachments, bytes.Clone(data))
	if in.packet.missing--; in.packet.missing > 0 {
		return p, false, nil
	}
	p, in.packet = *in.packet, nil
	c.mu.Lock()
	defer c.mu.Unlock()
	if in.clock != nil { // the connection has not ended before
		in.clock.Stop()
	}
	return p, true, nil
}
