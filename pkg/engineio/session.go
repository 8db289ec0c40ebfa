package engineio

import (
	"net/http"
	"sync"
	"sync/atomic"
	"time"
)

// Receiver hears of one session. Its methods are never called at the same time for messages;
// ReceiveClose comes once, may overlap the last ReceiveMessage, and runs in a goroutine of its own.
type Receiver interface {
	// ReceiveMessage gets one message; m.Data is valid only during the call. The session reads on
	// when it returns: a receiver that is slow slows its client down. See Message.Parsed.
	ReceiveMessage(m Message)
	// ReceiveClose is told why the session ended; err is the cause where there is one.
	ReceiveClose(reason Reason, err error)
}

// UpgradeReceiver is a Receiver that hears, too, of its session's move from polling to WebSocket.
type UpgradeReceiver interface {
	Receiver
	// ReceiveUpgrade comes once at most, when Session.Transport has changed, and before any message of the
	// WebSocket, which waits until it returns. It may overlap a ReceiveMessage of polling, and ReceiveClose.
	ReceiveUpgrade()
}

// Session is one client, on whichever transport it uses at the moment.
type Session struct {
	server   *Server
	id       string
	request  Request
	receiver Receiver
	traffic  *traffic

	begun atomic.Bool               // it has its receiver
	ws    atomic.Pointer[webSocket] // set once the session is on WebSocket

	mu        sync.Mutex
	state     sessionState
	queue     queue                    // what waits for the next poll
	poll      *poll                    // the GET that waits
	posting   *http.Request            // the POST under way
	reading   *http.ResponseController // of the POST whose body arrives
	upgrading *webSocket               // a WebSocket that may become the transport
	probed    bool                     // upgrading has
	ended     func(Receiver)           // tells the receiver, who was not there at the end

	beat beat

	gone chan struct{} // where Drain waits: closed with the session's removal; guarded by Server.mu
}

type sessionState uint8

const (
	stateOpen    sessionState = iota
	stateClosing              // a polling session that owes its client the last packets
	stateClosed
)

// ID is the session's id, as in the client's `sid`.
func (s *Session) ID() string { return s.id }

// Request is what is known of the handshake.
func (s *Session) Request() *Request { return &s.request }

// Posting is the POST whose messages are being received, with its headers; nil on WebSocket. It may
// be used during ReceiveMessage only.
func (s *Session) Posting() *http.Request {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.posting
}

// Transport is "polling" or "websocket".
func (s *Session) Transport() string {
	if s.ws.Load() != nil {
		return "websocket"
	}
	return "polling"
}

// Send sends a frame; it never blocks. Frames arrive in the order of the calls. After the session's
// end it does nothing. A session whose client does not read is closed at the bounds of Options.
func (s *Session) Send(f *Frame) { s.send(f, false) }

// SendVolatile sends a frame if the transport can take it now, and drops it otherwise.
func (s *Session) SendVolatile(f *Frame) { s.send(f, true) }

// Takes says whether Send could keep all of a frame within the session's bounds though the client read
// nothing of it. What would not fit cuts a client that does not read fast enough.
func (s *Session) Takes(f *Frame) bool {
	if ws := s.ws.Load(); ws != nil {
		ws.mu.Lock()
		defer ws.mu.Unlock()
		return ws.queue.takes(f, &s.server.opts)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.queue.takes(f, &s.server.opts)
}

func (s *Session) send(f *Frame, volatile bool) {
	s.traffic.countSent(f)
	ws := s.ws.Load()
	if ws == nil {
		s.mu.Lock()
		if ws = s.ws.Load(); ws == nil {
			ok := s.sendPolling(f, volatile)
			s.mu.Unlock()
			if !ok {
				s.end(ReasonSlowConsumer, errSlowConsumer, false)
			}
			return
		}
		s.mu.Unlock()
	}
	ws.send(f, volatile)
}

// sendPolling queues f for the poll; false when the queue is full. The lock is held.
func (s *Session) sendPolling(f *Frame, volatile bool) bool {
	if s.state != stateOpen {
		return true
	}
	if volatile && (s.poll == nil || !s.queue.empty()) {
		s.server.counters.countDropped(f)
		return true
	}
	if !s.queue.push(f, &s.server.opts) {
		return false
	}
	s.poll.release()
	return true
}

// sendPacket sends a packet that is no message. The lock is held.
func (s *Session) sendPacket(p PacketType) {
	if ws := s.ws.Load(); ws != nil {
		ws.sendPacket(p, "")
		return
	}
	s.queue.append(entry{packet: p})
	s.poll.release()
}

// receive takes one packet of the client and says whether the session goes on.
func (s *Session) receive(p Packet) bool {
	if !s.heard(p.Type == PacketPong) {
		return false
	}
	switch p.Type {
	case PacketMessage:
		s.traffic.countReceived(len(p.Data))
		s.receiver.ReceiveMessage(Message{Binary: p.Binary, Data: p.Data, turn: p.turn})
	case PacketClose:
		s.end(ReasonTransportClose, nil, false)
		return false
	case PacketPing: // only the server pings (§ Heartbeat)
		s.end(ReasonTransportError, errClientPing, false)
		return false
	}
	return s.open()
}

func (s *Session) open() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.state == stateOpen
}

// Close ends the session: what was sent before still goes out, then the transport is closed.
func (s *Session) Close() { s.end(ReasonForcedClose, nil, true) }

// CloseTransport ends the session as a lost connection would, after what was sent before: a stock
// client reconnects by itself.
func (s *Session) CloseTransport(reason Reason) { s.end(reason, nil, true) }

// end is the only way a session ends; false when it has ended before. With flush a polling client may
// fetch what waits for it.
func (s *Session) end(reason Reason, err error, flush bool) bool {
	s.mu.Lock()
	if s.state != stateOpen {
		s.mu.Unlock()
		return false
	}
	receiver := s.receiver
	if receiver != nil {
		s.server.wg.Add(1) // before the session is forgotten: Server.Close waits for its receiver
	} else {
		s.ended = func(r Receiver) { r.ReceiveClose(reason, err) }
	}
	ws, probing := s.ws.Load(), s.upgrading
	// Without a poll, or with messages for the one that waits, there is to be another; see takeLast and
	// awaitRacingPoll.
	closing := ws == nil && (s.poll == nil && (flush || reason == ReasonTransportClose) || flush && !s.queue.empty())
	if closing && s.probed {
		// The client may have left polling already, and would wait in vain where only its WebSocket were
		// closed: it gets the last packets by a poll or after its 5, whichever comes.
		_ = probing.Conn.SetReadDeadline(time.Now().Add(closingUpgradeWait))
		probing = nil
	} else {
		s.upgrading, s.probed = nil, false
	}
	if closing {
		s.state = stateClosing
		s.beat.due = s.server.elapsed() + closingPollWait
	} else {
		s.closed()
	}
	if ws == nil {
		s.queueClose(reason, flush)
	}
	s.mu.Unlock()
	s.server.counters.countClose(reason)
	if probing != nil {
		probing.close(0)
	}
	if ws != nil {
		if !flush && (reason == ReasonServerShuttingDown || reason == ReasonSlowConsumer) {
			ws.discard()
		} else {
			ws.close(0)
		}
	}
	if receiver != nil {
		go func() {
			defer s.server.wg.Done()
			receiver.ReceiveClose(reason, err)
		}()
	}
	return true
}

// closed makes the server forget the session. The lock is held.
func (s *Session) closed() {
	s.state = stateClosed
	if s.upgrading != nil {
		s.upgrading.close(0)
		s.upgrading, s.probed = nil, false
	}
	s.server.remove(s)
	s.server.beats.remove(s)
	if s.reading != nil {
		_ = s.reading.SetReadDeadline(longAgo) // nobody waits for that body
	}
}

var longAgo = time.Unix(1, 0)

// closingPollWait is how long a closed polling session keeps its last packets (the reference's 30s).
const closingPollWait = 30 * time.Second

// closingUpgradeWait is how long the WebSocket of a session that was closed during its upgrade waits for
// the client's 5.
const closingUpgradeWait = 2 * time.Second

// queueClose leaves the last packet for the poll that waits or comes. The lock is held.
func (s *Session) queueClose(reason Reason, flush bool) {
	if !flush {
		s.queue = queue{}
	}
	last := PacketClose
	if reason == ReasonTransportClose && !flush { // the client's own wish: it needs no reminder
		last = PacketNoop
	}
	s.queue.append(entry{packet: last})
	s.poll.release()
}

// forget ends the wait for a last poll.
func (s *Session) forget() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.state == stateClosing {
		s.closed()
		s.queue = queue{}
	}
}
