package engineio

import (
	"errors"
	"io"
	"net/http"
	"strconv"
	"time"
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
		s.server.refuse(w, r, refusal(CodeUnknownSession, "sid", s.id))
		return
	}
	if s.upgrading != nil && s.queue.empty() {
		s.queue.append(entry{packet: PacketNoop}) // a probing client must not wait
	}
	p := &poll{ready: make(chan struct{}, 1)}
	s.poll = p
	for s.queue.empty() {
		s.mu.Unlock()
		select {
		case <-p.ready:
		case <-r.Context().Done():
			s.end(ReasonTransportError, errAborted, false)
			return
		}
		s.mu.Lock()
	}
	entries := s.queue.take(s.server.opts.MaxQueueBytes)
	s.poll = nil
	if s.state == stateClosing && s.queue.empty() {
		s.state = stateClosed
		s.server.remove(s)
	}
	s.mu.Unlock()
	s.server.writePoll(w, r, appendPolling(nil, entries))
}

// writePoll answers a GET with a payload, compressed if that pays.
func (s *Server) writePoll(w http.ResponseWriter, r *http.Request, body []byte) {
	h := w.Header()
	h.Set("Content-Type", "text/plain; charset=UTF-8")
	if c := s.opts.HTTPCompression; !c.Disabled && len(body) >= orDefault(c.Threshold, 1024) {
		before := len(body)
		body = compressAnswer(h, r, body, orDefault(c.Level, 6))
		if h.Get("Content-Encoding") != "" {
			s.counters.countPoll(before, len(body))
		}
	}
	h.Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(http.StatusOK)
	_, _ = w.Write(body) // a lost answer shows as a lost session: at the next request or ping
}

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
		answer(w, http.StatusBadRequest, "", "")
		return
	}
	defer func() {
		s.mu.Lock()
		s.posting = nil
		s.mu.Unlock()
	}()
	if r.Header.Get("Content-Type") == "application/octet-stream" {
		s.end(ReasonTransportError, errBinary, false)
		answer(w, http.StatusBadRequest, "", "")
		return
	}
	limit := s.server.opts.MaxPayload
	if r.ContentLength > limit {
		answer(w, http.StatusRequestEntityTooLarge, "", "")
		return
	}
	// A body that trickles in outlives neither the session's patience nor a server without timeouts.
	_ = http.NewResponseController(w).SetReadDeadline(time.Now().Add(s.server.opts.PingInterval + s.server.opts.PingTimeout))
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, limit))
	var tooLarge *http.MaxBytesError
	switch {
	case errors.As(err, &tooLarge):
		answer(w, http.StatusRequestEntityTooLarge, "", "")
		return
	case err != nil:
		s.end(ReasonTransportError, err, false)
		answer(w, http.StatusBadRequest, "", "")
		return
	}
	for p, err := range payloadPackets(body) {
		if err != nil {
			s.end(ReasonParseError, err, false)
			break
		}
		if !s.receive(p) {
			break
		}
	}
	answer(w, http.StatusOK, "text/html", "ok")
}
