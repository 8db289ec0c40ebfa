package engineio

import (
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
)

// openData is the handshake (§ Handshake).
type openData struct {
	SID          string   `json:"sid"`
	Upgrades     []string `json:"upgrades"`
	PingInterval int64    `json:"pingInterval"` // ms
	PingTimeout  int64    `json:"pingTimeout"`  // ms
	MaxPayload   int64    `json:"maxPayload"`   // bytes
}

// newSession names a session and puts it into the table.
func (s *Server) newSession(r *http.Request) (*Session, error) {
	id, err := s.opts.GenerateID(r)
	if err != nil {
		return nil, err
	}
	session := &Session{server: s, id: id, request: newRequest(r), traffic: s.counters.share()}
	session.beat.slot = -1
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.closed:
		return nil, ErrServerClosed
	case s.refusing:
		return nil, errDraining
	case s.sessions[id] != nil:
		return nil, errors.New("engineio: the id is taken")
	case s.opts.MaxSessions > 0 && len(s.sessions) >= s.opts.MaxSessions:
		return nil, errTooManySessions
	}
	s.sessions[id] = session
	return session, nil
}

var errTooManySessions = errors.New("engineio: too many sessions")

// refuseSession answers a handshake for which newSession failed.
func (s *Server) refuseSession(w http.ResponseWriter, r *http.Request, err error) {
	if errors.Is(err, errTooManySessions) || errors.Is(err, ErrServerClosed) || errors.Is(err, errDraining) {
		s.counters.full.Add(1)
		w.Header().Set("Retry-After", "5")
		w.Header().Set("Connection", "close") // the next attempt may find another server
		answer(w, http.StatusServiceUnavailable, "text/plain; charset=utf-8", "Service Unavailable")
		return
	}
	s.refuse(w, r, refusal(CodeBadRequest, "error", err))
}

// openPacket is the text of a session's first packet, without its type.
func (s *Session) openPacket(upgrades ...string) string {
	o := &s.server.opts
	data, _ := json.Marshal(openData{s.id, append([]string{}, upgrades...), o.PingInterval.Milliseconds(), o.PingTimeout.Milliseconds(), o.MaxPayload})
	return string(data)
}

func (s *Server) handshakePolling(w http.ResponseWriter, r *http.Request) {
	session, err := s.newSession(r)
	if err != nil {
		s.refuseSession(w, r, err)
		return
	}
	var upgrades []string
	if !s.opts.DisableUpgrades && !s.opts.DisableWebSocket {
		upgrades = []string{"websocket"}
	}
	body := append([]byte{byte(PacketOpen)}, session.openPacket(upgrades...)...)
	if m := s.opts.InitialMessage; m != nil {
		body = appendPacket(append(body, separator), Packet{PacketMessage, m.Binary, m.Data})
	}
	h := w.Header()
	if s.opts.Cookie != nil {
		c := *s.opts.Cookie
		c.Value = session.id
		h.Add("Set-Cookie", c.String())
	}
	if s.opts.InitialHeaders != nil {
		s.opts.InitialHeaders(h, r)
	}
	session.begin()
	session.startBeat()
	s.writePoll(w, r, body)
}

func (s *Server) handshakeWebSocket(w http.ResponseWriter, r *http.Request, q url.Values) {
	if q.Get("transport") != "websocket" {
		s.rejectUpgraded(w, r)
		return
	}
	session, err := s.newSession(r)
	if err != nil {
		s.refuseSession(w, r, err)
		return
	}
	header := w.Header().Clone()
	if s.opts.InitialHeaders != nil {
		s.opts.InitialHeaders(header, r)
	}
	ws, err := s.acceptWebSocket(w, r, header)
	if err != nil {
		session.end(ReasonTransportError, err, false)
		s.refuse(w, r, refusal(CodeBadRequest, "error", err))
		return
	}
	ws.onFail = func(reason Reason, err error) { session.end(reason, err, false) }
	session.ws.Store(ws)
	session.startBeat()
	ws.sendPacket(PacketOpen, session.openPacket())
	if m := s.opts.InitialMessage; m != nil {
		ws.send(NewFrame(*m), false)
	}
	session.begin()
	s.wg.Go(func() { session.readWebSocket(ws) }) // a fresh, small stack; the handler's ends here
}

// readWebSocket reads for the session until either ends.
func (s *Session) readWebSocket(ws *webSocket) {
	reason, err := ws.read(s.receive)
	if reason != "" {
		s.end(reason, err, false)
	}
	ws.finish()
}

// rejectUpgraded completes an upgrade only to close it: what the reference does where no transport
// can use the WebSocket.
func (s *Server) rejectUpgraded(w http.ResponseWriter, r *http.Request) {
	ws, err := s.acceptWebSocket(w, r, w.Header().Clone())
	if err != nil {
		s.refuse(w, r, refusal(CodeBadRequest, "error", err))
		return
	}
	s.wg.Go(ws.finish)
}
