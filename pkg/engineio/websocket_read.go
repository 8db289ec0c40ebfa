package engineio

import (
	"bufio"
	"errors"
	"io"
	"net"
	"sync"
	"syscall"
	"time"
	"unicode/utf8"

	"github.com/gorilla/websocket"
)

var (
	errInvalidUTF8 = errors.New("engineio: text is not UTF-8")
	errTooLarge    = errors.New("engineio: message exceeds the limit")
)

// next waits for one message and passes it to handle. It returns false when handle says stop, the
// peer is gone, or it breaks the protocol: then with a reason. The packet's data is valid only during
// the call.
//
// The wait is the state in which nearly every connection is nearly always: it holds no buffer, and
// its frames are few and small, so that the goroutine does with the 2 KB stack it began with.
func (t *webSocket) next(handle func(Packet) (more bool)) (more bool, reason Reason, err error) {
	if err := t.await(); err != nil {
		return false, readReason(err), err
	}
	t.read = 0
	if t.pace.busy(t.server.elapsed()) {
		t.turn.take()
	}
	defer t.turn.giveBack()
	return t.readMessage(handle)
}

// Read is how gorilla reads. What is long takes a turn, be it a message or pings that make none, and holds it
// neither while there is nothing to read nor to its end, which may not come.
func (t *webSocket) Read(p []byte) (int, error) {
	if t.turn.held.Load() || t.read > lightMessage {
		if t.turn.over() || t.raw == nil || !readableNow(t.raw) {
			t.turn.giveBack()
		}
		defer t.turn.take()
	}
	n, err := t.Conn.Read(p)
	t.read += n
	return n, err
}

func (t *webSocket) await() error {
	if t.raw == nil || t.in.Buffered() > 0 {
		return nil
	}
	t.giveBack()
	return awaitReadable(t.raw)
}

// readMessage reads the message that has begun to arrive. Its error is permanent.
func (t *webSocket) readMessage(handle func(Packet) (more bool)) (more bool, reason Reason, err error) {
	t.borrow()
	kind, r, err := t.ws.NextReader()
	if err != nil {
		return false, readReason(err), err
	}
	// One byte more than allowed: only a compressed message can have it, gorilla counts the others.
	m, err := t.server.intake.receive(r, t.server.opts.MaxPayload, t)
	defer m.release()
	if errors.Is(err, errBusy) {
		t.close(websocket.CloseTryAgainLater)
		return false, ReasonTransportError, err
	}
	if err != nil {
		return false, readReason(err), err
	}
	var p Packet
	switch {
	case int64(len(m.data)) > t.server.opts.MaxPayload:
		t.close(websocket.CloseMessageTooBig)
		return false, ReasonTransportError, errTooLarge
	case kind == websocket.BinaryMessage:
		p = Packet{Type: PacketMessage, Binary: true, Data: m.data}
	case !utf8.Valid(m.data):
		t.close(websocket.CloseInvalidFramePayloadData)
		return false, ReasonTransportError, errInvalidUTF8
	default:
		if p, err = decodePacket(m.data); err != nil {
			return false, ReasonParseError, err
		}
	}
	if p.turn = &t.turn; len(p.Data) <= lightMessage {
		t.turn.limit()
	}
	return handle(p), "", nil
}

// large and interrupt are a sender's.
func (t *webSocket) large() { t.turn.take() }

func (t *webSocket) interrupt() { _ = t.SetReadDeadline(longAgo) }

// renewAfter is how often, at most, a reading goroutine is replaced.
const renewAfter = time.Second

// renew tells whether the reader should go on in a fresh goroutine: handling a message has made the
// stack grow, which the runtime never gives back below 4 KB. A busy connection keeps its own.
func (t *webSocket) renew() bool {
	now := t.server.elapsed()
	if t.raw == nil || t.in.Buffered() > 0 || t.renewed != 0 && now-t.renewed < renewAfter {
		return false
	}
	t.renewed = now
	return true
}

// finish closes, if that has not been done, and reads until the peer's end, so that our close frame
// is not lost in a reset. It ends by the deadline that close has set.
func (t *webSocket) finish() {
	t.giveBack()
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

// readers hold what has arrived while it is taken apart; larger messages bypass them.
var readers = sync.Pool{New: func() any { return bufio.NewReaderSize(nil, 4<<10) }}

// borrow gives gorilla's reader a buffer; giveBack takes it away when it is empty or of no use.
func (t *webSocket) borrow() {
	if t.borrowed == nil {
		t.borrowed = readers.Get().(*bufio.Reader)
		t.in = *t.borrowed // shares the buffer
		t.in.Reset(t)
	}
}

func (t *webSocket) giveBack() {
	if t.borrowed != nil {
		readers.Put(t.borrowed)
		t.borrowed, t.in = nil, bufio.Reader{}
	}
}
