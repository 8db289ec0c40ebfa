package engineio

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"net"
	"net/http"
	"sync"
	"syscall"
	"time"
	"unicode/utf8"

	"github.com/gorilla/websocket"
)

// closeLinger bounds how long a closed WebSocket may take to flush and to answer.
const closeLinger = 10 * time.Second

// drainChunk is how much a drain goroutine writes at a time.
const drainChunk = 64 << 10

// webSocket is one WebSocket connection. Frames are written by whoever sends them, without blocking;
// only when the kernel's buffer is full do they wait in the queue, and one goroutine drains it.
//
// It is also the net.Conn that gorilla/websocket writes to (the 101 answer, and closes it sends
// itself), so that those bytes keep their place among ours.
type webSocket struct {
	net.Conn
	ws      *websocket.Conn
	raw     syscall.RawConn // nil under TLS and other wrappers: all writes go through drain
	deflate *PerMessageDeflate
	server  *Server

	mu       sync.Mutex
	upgraded bool // the 101 is out: Write queues
	closing  bool // nothing more is sent but what is queued
	draining bool // a drain goroutine runs
	queue    queue
	pending  *Frame              // posted, to be written by a flusher
	owed     bool                // a flusher has been promised
	onFail   func(Reason, error) // the session's end; nil while probing
}

// acceptWebSocket answers the upgrade request. On error the answer has been written.
func (s *Server) acceptWebSocket(w http.ResponseWriter, r *http.Request, header http.Header) (*webSocket, error) {
	t := &webSocket{server: s}
	conn, err := s.upgrader.Upgrade(&hijackWriter{w, t}, r, header)
	if err != nil {
		return nil, err
	}
	t.ws = conn
	conn.SetReadLimit(s.opts.MaxPayload)
	conn.SetPingHandler(t.answerPing)
	conn.SetPongHandler(func(string) error { return nil })
	conn.SetCloseHandler(t.answerClose)
	t.mu.Lock()
	t.upgraded = true
	t.mu.Unlock()
	return t, nil
}

// hijackWriter puts the webSocket between gorilla and the connection.
type hijackWriter struct {
	http.ResponseWriter
	t *webSocket
}

func (h *hijackWriter) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	conn, buffers, err := http.NewResponseController(h.ResponseWriter).Hijack()
	if err != nil {
		return nil, nil, err
	}
	h.t.Conn = conn
	if sc, ok := conn.(syscall.Conn); ok {
		if raw, err := sc.SyscallConn(); err == nil {
			h.t.raw = raw
		}
	}
	return h.t, buffers, nil
}

// Write takes what gorilla writes: the 101 directly, and later the close frames with which it
// answers a broken protocol, in order with our frames.
func (t *webSocket) Write(p []byte) (int, error) {
	t.mu.Lock()
	if !t.upgraded {
		t.mu.Unlock()
		if t.server.opts.PerMessageDeflate != nil && bytes.Contains(p, []byte("permessage-deflate")) {
			t.deflate = t.server.opts.PerMessageDeflate
		}
		return t.Conn.Write(p)
	}
	defer t.mu.Unlock()
	t.closeLocked(bytes.Clone(p))
	return len(p), nil
}

// SetWriteDeadline is gorilla's; deadlines of this connection are ours alone.
func (t *webSocket) SetWriteDeadline(time.Time) error { return nil }

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
		if !volatile && !t.queue.push(f, &t.server.opts) {
			return ReasonSlowConsumer, errSlowConsumer
		}
		return "", nil
	}
	b := t.encode(f)
	sent, err := t.writeNow(b)
	switch {
	case err != nil:
		return ReasonTransportError, err
	case sent == len(b), volatile && sent == 0 && t.raw != nil:
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

// fail tells the session that the connection is of no use any more; it is called without the lock.
func (t *webSocket) fail(reason Reason, err error) {
	t.mu.Lock()
	onFail := t.onFail
	t.mu.Unlock()
	if onFail != nil {
		onFail(reason, err)
	} else {
		t.discard()
	}
}

// close sends what is queued and a close frame (code 0: without one), and ends the connection when
// the peer has answered or closeLinger has passed.
func (t *webSocket) close(code int) {
	frame := []byte{wsFinal | wsClose, 0}
	if code != 0 {
		frame = []byte{wsFinal | wsClose, 2, byte(code >> 8), byte(code)}
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.closeLocked(frame)
}

func (t *webSocket) closeLocked(frame []byte) {
	if t.closing {
		return
	}
	t.sendBytes(frame)
	t.closing = true
	t.lingerFor(closeLinger)
	t.server.linger(t)
	if !t.draining {
		t.closeWrite()
	}
}

// closeWrite says that nothing follows; the reader sees the peer's end and closes.
func (t *webSocket) closeWrite() {
	if c, ok := t.Conn.(interface{ CloseWrite() error }); ok {
		_ = c.CloseWrite()
	}
}

// discard ends the connection at once.
func (t *webSocket) discard() {
	t.mu.Lock()
	t.closing = true
	t.queue, t.pending = queue{}, nil
	t.mu.Unlock()
	_ = t.Conn.Close()
}

func (t *webSocket) answerPing(data string) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.sendBytes(append(appendWebSocketHeader(nil, wsFinal|wsPong, len(data)), data...))
	return nil
}

func (t *webSocket) answerClose(code int, _ string) error {
	if code == websocket.CloseNoStatusReceived {
		code = 0
	}
	t.close(code)
	return nil
}

var (
	errInvalidUTF8 = errors.New("engineio: text is not UTF-8")
	errTooLarge    = errors.New("engineio: message exceeds the limit")
)

// read passes packets to handle until that says stop, the peer is gone, or it breaks the protocol.
// The packet's data is valid only during the call.
func (t *webSocket) read(handle func(Packet) (more bool)) (Reason, error) {
	for {
		kind, r, err := t.ws.NextReader()
		if err != nil {
			return readReason(err), err
		}
		buf := readBuffers.Get().(*bytes.Buffer)
		buf.Reset()
		// One byte more than allowed: only a compressed message can have it, gorilla counts the others.
		_, err = buf.ReadFrom(io.LimitReader(r, t.server.opts.MaxPayload+1))
		var p Packet
		switch {
		case err != nil:
		case int64(buf.Len()) > t.server.opts.MaxPayload:
			err = errTooLarge
			t.close(websocket.CloseMessageTooBig)
		case kind == websocket.BinaryMessage:
			p = Packet{Type: PacketMessage, Binary: true, Data: buf.Bytes()}
		case !utf8.Valid(buf.Bytes()):
			err = errInvalidUTF8
			t.close(websocket.CloseInvalidFramePayloadData)
		default:
			p, err = decodePacket(buf.Bytes())
			if err != nil {
				releaseReadBuffer(buf)
				return ReasonParseError, err
			}
		}
		if err != nil {
			releaseReadBuffer(buf)
			return readReason(err), err
		}
		more := handle(p)
		releaseReadBuffer(buf)
		if !more {
			return "", nil
		}
	}
}

// finish closes, if that has not been done, and reads until the peer's end, so that our close frame
// is not lost in a reset. It ends by the deadline that close has set.
func (t *webSocket) finish() {
	t.close(0)
	_, _ = io.Copy(io.Discard, struct{ io.Reader }{t.Conn})
	_ = t.Conn.Close()
	t.server.unlinger(t)
}

// readReason tells an orderly end from a broken protocol.
func readReason(err error) Reason {
	var closed *websocket.CloseError
	if errors.As(err, &closed) || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, net.ErrClosed) || errors.Is(err, syscall.ECONNRESET) {
		return ReasonTransportClose
	}
	return ReasonTransportError
}

// readBuffers hold a message while it is handled; larger ones than this are left to the collector.
const maxPooledRead = 64 << 10

var readBuffers = sync.Pool{New: func() any { return bytes.NewBuffer(make([]byte, 0, 1024)) }}

func releaseReadBuffer(b *bytes.Buffer) {
	if b.Cap() <= maxPooledRead {
		readBuffers.Put(b)
	}
}

// isWebSocketRequest tells whether the client asks for an upgrade (RFC 6455, § 4.2.1).
func isWebSocketRequest(r *http.Request) bool { return websocket.IsWebSocketUpgrade(r) }

func newUpgrader(o *Options) websocket.Upgrader {
	return websocket.Upgrader{
		ReadBufferSize:    256, // larger messages bypass it
		WriteBufferSize:   256,
		WriteBufferPool:   new(sync.Pool), // gorilla writes only what it refuses
		EnableCompression: o.PerMessageDeflate != nil,
		CheckOrigin:       func(r *http.Request) bool { return o.CORS == nil || !o.CORS.EnforceOnWebSocket || o.CORS.allows(r) },
		Error:             func(http.ResponseWriter, *http.Request, int, error) {}, // the server answers
	}
}
