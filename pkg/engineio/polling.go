package engineio

import (
	"bytes"
	"errors"
	"net/http"
	"strconv"
	"time"
	"unicode/utf8"
)

// poll is a GET that waits for something to send (§ HTTP long-polling).
type poll struct {
	ready chan struct{} // holds one value once there is something
}

// release lets the waiting request answer; it is called with the session's lock held.
func (p *poll) release() {
	if p == nil {
		return
	}
	select {
	case p.ready <- struct{}{}:
	default:
	}
}

var (
	errOverlap = errors.New("engineio: overlapping requests")
	errAborted = errors.New("engineio: the client went away from its request")
	errBinary  = errors.New("engineio: bodies are text")
)

// probedPollTime is how long a poll of a client that has probed may wait: the client completes its
// upgrade only when no poll is under way.
const probedPollTime = 50 * time.Millisecond

// servePoll answers a GET with what waits, or waits for it.
func (s *Session) servePoll(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	if s.poll != nil {
		s.mu.Unlock()
		s.end(ReasonTransportError, errOverlap, true)
		answer(w, http.StatusBadRequest, "", "")
		return
	}
	if s.state == stateClosed || s.ws.Load() != nil { // it ended, or upgraded, since verify looked
		s.mu.Unlock()
		s.refuseLate(w, r)
		return
	}
	p := &poll{ready: make(chan struct{}, 1)}
	s.poll = p
	for s.queue.empty() {
		var enough <-chan time.Time
		if s.probed {
			enough = time.After(probedPollTime)
		}
		s.mu.Unlock()
		select {
		case <-p.ready:
			s.mu.Lock()
		case <-enough:
			s.mu.Lock()
			if s.queue.empty() {
				s.queue.append(entry{packet: PacketNoop})
			}
		case <-r.Context().Done():
			s.end(ReasonTransportError, errAborted, false)
			return
		}
	}
	if s.ws.Load() != nil { // a client that keeps to the protocol awaits its poll before it upgrades
		s.poll, s.queue = nil, queue{} // a noop: the rest has moved
		s.mu.Unlock()
		s.refuseLate(w, r)
		return
	}
	var entries []entry
	if s.state == stateOpen {
		entries = s.queue.take(s.server.opts.MaxQueueBytes)
	} else {
		entries = s.queue.takeLast()
	}
	s.poll = nil
	if s.state == stateClosing && s.queue.empty() {
		s.closed()
	}
	s.mu.Unlock()
	s.server.writePoll(w, r, payload(entries), entries)
}

// refuseLate answers a poll that came when the session had left polling, or was overtaken by that.
func (s *Session) refuseLate(w http.ResponseWriter, r *http.Request) {
	if s.ws.Load() != nil {
		s.server.refuse(w, r, refusal(CodeBadRequest, "name", "TRANSPORT_MISMATCH"))
		return
	}
	s.server.refuse(w, r, refusal(CodeUnknownSession, "sid", s.id))
}

// closeRaceTime is how long a POST that closes the session waits for a poll that has set out before it:
// that poll is answered once. Who polls after the POST's answer finds no session any more.
const closeRaceTime = 50 * time.Millisecond

// awaitRacingPoll ends a session that its client has closed.
func (s *Session) awaitRacingPoll(r *http.Request) {
	s.mu.Lock()
	closing := s.state == stateClosing
	s.mu.Unlock()
	if !closing {
		return
	}
	select {
	case <-time.After(closeRaceTime):
	case <-r.Context().Done():
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.state == stateClosing {
		s.queue = queue{}
		s.closed()
	}
}

// writePoll answers a GET with a payload, compressed if that pays and the client accepts it. The entries are what
// it is made of; nil for what is made for this client alone.
func (s *Server) writePoll(w http.ResponseWriter, r *http.Request, body []byte, entries []entry) {
	h := w.Header()
	h.Set("Content-Type", "text/plain; charset=UTF-8")
	if c := s.opts.HTTPCompression; !c.Disabled && len(body) >= orDefault(c.Threshold, 1024) && (entries == nil || worthCompressing(entries)) {
		h.Add("Vary", "Accept-Encoding")
		if coding := acceptedCoding(r.Header.Get("Accept-Encoding")); coding != "" {
			h.Set("Content-Encoding", coding)
			answer := s.answers.of(entries, coding)
			answer.once.Do(func() {
				answer.bytes = compress(body, coding, orDefault(c.Level, 6))
				s.counters.countPoll(len(body), len(answer.bytes))
			})
			body = answer.bytes
		}
	}
	h.Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(http.StatusOK)
	if len(body) < bufferedAnswer {
		_, _ = w.Write(body) // a lost answer shows as a lost session: at the next request or ping
		return
	}
	c := http.NewResponseController(w)
	_ = c.SetWriteDeadline(time.Now().Add(s.opts.PingInterval + s.opts.PingTimeout))
	_, _ = w.Write(body)
	_ = c.Flush()
	_ = c.SetWriteDeadline(time.Time{})
}

// bufferedAnswer is what net/http takes without waiting for the client. Writing more is bounded by the
// patience that the session has.
const bufferedAnswer = 2 << 10

// servePost takes a payload from the client.
func (s *Session) servePost(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	overlap := s.posting != nil
	if !overlap {
		s.posting = r
	}
	s.mu.Unlock()
	if overlap {
		s.end(ReasonTransportError, errOverlap, false)
		answerUnread(w, http.StatusBadRequest)
		return
	}
	defer func() {
		s.mu.Lock()
		s.posting = nil
		s.mu.Unlock()
	}()
	if r.Header.Get("Content-Type") == "application/octet-stream" {
		s.end(ReasonTransportError, errBinary, false)
		answerUnread(w, http.StatusBadRequest)
		return
	}
	turn, pace := turn{of: s.server.heavy}, pace{}
	m, err := s.readBody(w, r, &turn)
	defer func() {
		turn.giveBack()
		m.release()
	}()
	if errors.Is(err, errBusy) {
		s.end(ReasonTransportError, err, false)
		w.Header().Set("Retry-After", "1")
		answerUnread(w, http.StatusServiceUnavailable)
		return
	}
	if errors.As(err, new(*http.MaxBytesError)) {
		answerUnread(w, http.StatusRequestEntityTooLarge)
		return
	}
	if err != nil {
		s.end(ReasonTransportError, err, false)
		answerUnread(w, http.StatusBadRequest)
		return
	}
	for p, err := range payloadPackets(m.data) {
		if pace.busy(s.server.elapsed()) || len(m.data) > lightMessage {
			turn.take() // the last one's may have ended
		}
		if p.turn = &turn; len(p.Data) <= lightMessage {
			turn.limit()
		}
		if err != nil {
			s.end(ReasonParseError, err, false)
			break
		}
		if !s.receive(p) {
			if p.Type == PacketClose {
				s.awaitRacingPoll(r)
			}
			break
		}
	}
	answer(w, http.StatusOK, "text/html", "ok")
}

// answerUnread answers a request whose body has not been read. Without the header net/http would read
// it first, for as long as the client likes.
func answerUnread(w http.ResponseWriter, status int) {
	w.Header().Set("Connection", "close")
	answer(w, status, "", "")
}

// readBody reads a POST's payload, and takes a turn over a large one; it is to be released in any case. A body
// that trickles in outlives neither the session nor the deadline that ServeHTTP has set. What is no UTF-8 is
// replaced, as the reference does: it must not reach other clients, whose WebSockets would refuse it.
func (s *Session) readBody(w http.ResponseWriter, r *http.Request, t *turn) (m received, err error) {
	limit := s.server.opts.MaxPayload
	if r.ContentLength > limit {
		return m, &http.MaxBytesError{Limit: limit}
	}
	c := http.NewResponseController(w)
	s.setReading(c)
	m, err = s.server.intake.receive(http.MaxBytesReader(w, r.Body, limit), limit, body{c})
	s.setReading(nil)
	if err != nil {
		return m, err
	}
	if len(m.data) > lightMessage {
		t.take()
	}
	_ = c.SetReadDeadline(time.Time{})
	if !utf8.Valid(m.data) {
		m.data = bytes.ToValidUTF8(m.data, []byte("\uFFFD"))
	}
	return m, nil
}

// body is a POST's, as a sender: it takes its turn when it is complete.
type body struct{ c *http.ResponseController }

func (body) large() {}

func (b body) interrupt() { _ = b.c.SetReadDeadline(longAgo) }

// setReading lets end stop the reading.
func (s *Session) setReading(c *http.ResponseController) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.reading = c
	if c != nil && s.state == stateClosed {
		_ = c.SetReadDeadline(longAgo)
	}
}
