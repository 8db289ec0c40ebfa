package engineio

import (
	"errors"
	"net"
)

// drainChunk is how much a drain goroutine writes at a time.
const drainChunk = 64 << 10

// encode returns the frame's bytes for this connection.
func (t *webSocket) encode(f *Frame) []byte {
	if t.deflate != nil {
		return f.deflatedWebSocket(t.deflate)
	}
	return f.webSocket()
}

// send writes f now, and what was posted before with it, or queues what the kernel does not take. A
// volatile frame is dropped instead.
func (t *webSocket) send(f *Frame, volatile bool) {
	t.mu.Lock()
	var reason Reason
	var err error
	if pending := t.takePending(); pending != nil && volatile {
		reason, err = t.write(pending, false)
	} else if pending != nil {
		f = pending.then(f)
	}
	if err == nil {
		reason, err = t.write(f, volatile)
	}
	t.mu.Unlock()
	if err != nil {
		t.fail(reason, err)
	}
}

// write is send with the lock held. The caller reports an error to fail, without the lock.
func (t *webSocket) write(f *Frame, volatile bool) (Reason, error) {
	if t.closing {
		return "", nil
	}
	if t.draining {
		if volatile {
			t.server.counters.countDropped(f)
		} else if !t.queue.push(f, &t.server.opts) {
			return ReasonSlowConsumer, errSlowConsumer
		}
		return "", nil
	}
	b := t.encode(f)
	sent, err := t.writeNow(b)
	switch {
	case err != nil:
		return ReasonTransportError, err
	case sent == len(b):
		return "", nil
	case volatile && sent == 0 && t.raw != nil:
		t.server.counters.countDropped(f)
		return "", nil
	case !t.enqueue(f, b, sent):
		return ReasonSlowConsumer, errSlowConsumer
	}
	return "", nil
}

var errSlowConsumer = errors.New("engineio: the client does not read what it is sent")

func (t *webSocket) writeNow(b []byte) (int, error) {
	if t.raw == nil {
		return 0, nil
	}
	return writeNow(t.raw, b)
}

// enqueue queues f less its first sent bytes. The lock is held.
func (t *webSocket) enqueue(f *Frame, b []byte, sent int) bool {
	parts := f.parts
	if parts == nil {
		parts = []*Frame{f}
	}
	for _, part := range parts {
		n := len(b)
		if f.parts != nil {
			n = len(t.encode(part))
		}
		switch {
		case sent >= n:
			sent -= n
		case sent > 0:
			t.queue.append(entry{rest: b[sent:n]})
			sent = 0
		default:
			if !t.queue.push(part, &t.server.opts) {
				return false
			}
		}
		b = b[n:]
	}
	t.startDrain()
	return true
}

// sendPacket sends a packet that is no message, such as a ping.
func (t *webSocket) sendPacket(p PacketType, data string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.sendBytes(appendWebSocketPacket(nil, p, data))
}

// sendBytes writes or queues encoded bytes. The lock is held. An error shows at the next read.
func (t *webSocket) sendBytes(b []byte) {
	if pending := t.takePending(); pending != nil {
		if _, err := t.write(pending, false); err != nil {
			t.closing = true // rather nothing than a gap
			_ = t.Conn.Close()
		}
	}
	if t.closing {
		return
	}
	if !t.draining {
		if n, err := t.writeNow(b); err != nil || n == len(b) {
			return
		} else {
			b = b[n:]
		}
	}
	if len(t.queue.entries) < 2*t.server.opts.MaxQueueFrames { // a flood of pings costs its sender the pongs
		t.queue.append(entry{rest: b})
		t.startDrain()
	}
}

func (t *webSocket) startDrain() {
	if !t.draining {
		t.draining = true
		t.server.wg.Go(t.drain)
	}
}

// drain writes the queue until it is empty.
func (t *webSocket) drain() {
	for {
		t.mu.Lock()
		if t.queue.empty() {
			t.draining = false
			closing := t.closing
			t.mu.Unlock()
			if closing {
				t.closeWrite()
			}
			return
		}
		entries := t.queue.take(drainChunk)
		t.mu.Unlock()
		var buffers net.Buffers
		for _, e := range entries {
			switch {
			case e.frame != nil:
				buffers = append(buffers, t.encode(e.frame))
			case e.rest != nil:
				buffers = append(buffers, e.rest)
			default:
				buffers = append(buffers, appendWebSocketPacket(nil, e.packet, ""))
			}
		}
		if _, err := buffers.WriteTo(t.Conn); err != nil {
			t.fail(ReasonTransportError, err)
			t.mu.Lock()
			t.closing, t.queue, t.pending = true, queue{}, nil
			t.mu.Unlock() // draining stays: nobody starts another
			_ = t.Conn.Close()
			return
		}
	}
}
