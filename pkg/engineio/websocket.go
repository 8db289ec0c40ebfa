package engineio

import (
	"bufio"
	"bytes"
	"errors"
	"net"
	"net/http"
	"sync"
	"syscall"
	"time"

	"github.com/gorilla/websocket"
)

// closeLinger bounds how long a closed WebSocket may take to flush and to answer.
const closeLinger = 10 * time.Second

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

	// Of the reader.
	in       bufio.Reader  // gorilla's; it has no buffer but while there is something to read
	borrowed *bufio.Reader // where that buffer belongs
	turn     turn          // heavy
	pace     pace
	read     int           // bytes, since the last message
	renewed  time.Duration // when the reading goroutine was last replaced, since the server's start

	mu       sync.Mutex
	upgraded bool // the 101 is out: Write queues
	closing  bool // nothing more is sent but what is queued
	draining bool // a drain goroutine runs
	queue    queue
	pending  *Frame   // posted, to be written by a flusher
	owed     *Poster  // whose Flush has it written; nil: none
	session  *Session // hears of a failure; nil while probing
}

// acceptWebSocket answers the upgrade request. On an error with errHijacked nothing can be answered
// any more. Of subprotocols it agrees to the first, as the reference does: a client that offers some
// (engine.io-client's option protocols) takes none for a refusal.
func (s *Server) acceptWebSocket(w http.ResponseWriter, r *http.Request, header http.Header) (*webSocket, error) {
	if offered := websocket.Subprotocols(r); len(offered) > 0 && header.Get("Sec-Websocket-Protocol") == "" {
		header.Set("Sec-Websocket-Protocol", offered[0])
	}
	t := &webSocket{server: s, turn: turn{of: s.heavy}}
	conn, err := s.upgrader.Upgrade(&hijackWriter{w, t}, r, header)
	if err != nil {
		if t.Conn != nil {
			_ = t.Conn.Close()
			err = errors.Join(errHijacked, err)
		}
		return nil, err
	}
	t.giveBack()
	t.ws = conn
	conn.SetReadLimit(s.opts.MaxPayload)
	conn.SetPingHandler(t.answerPing)
	conn.SetPongHandler(ignorePong)
	conn.SetCloseHandler(t.answerClose)
	t.mu.Lock()
	t.upgraded = true
	t.mu.Unlock()
	return t, nil
}

var errHijacked = errors.New("engineio: the connection was lost while it changed its protocol")

func ignorePong(string) error { return nil }

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
	if buffers.Reader.Buffered() > 0 {
		return nil, nil, errors.New("engineio: data before the handshake was complete")
	}
	if sc, ok := conn.(syscall.Conn); ok {
		if raw, err := sc.SyscallConn(); err == nil {
			h.t.raw = raw
		}
	}
	h.t.borrow() // gorilla reads through a reader that is large enough, and ours to empty
	return h.t, bufio.NewReadWriter(&h.t.in, buffers.Writer), nil
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

// fail tells the session that the connection is of no use any more; it is called without the lock.
func (t *webSocket) fail(reason Reason, err error) {
	t.mu.Lock()
	session := t.session
	t.mu.Unlock()
	if session != nil {
		session.end(reason, err, false)
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

// isWebSocketRequest tells whether the client asks for an upgrade (RFC 6455, § 4.2.1).
func isWebSocketRequest(r *http.Request) bool { return websocket.IsWebSocketUpgrade(r) }

func newUpgrader(o *Options) websocket.Upgrader {
	return websocket.Upgrader{
		WriteBufferPool:   new(sync.Pool), // gorilla writes only what it refuses
		EnableCompression: o.PerMessageDeflate != nil,
		CheckOrigin:       func(*http.Request) bool { return true },                // verify has
		Error:             func(http.ResponseWriter, *http.Request, int, error) {}, // the server answers
	}
}
