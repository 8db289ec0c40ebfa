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

// newSession names a session and puts it into the table, where requests find it after begin.
func (s *Server) newSession(r *http.Request) (*Session, error) {
	id, err := s.opts.GenerateID(r)
	if err != nil {
		return nil, err
	}
	session := &Session{server: s, id: id, request: newRequest(r, s.opts.RequestHeaders), traffic: s.counters.share()}
	session.beat.slot = -1
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.closed:
		return nil, ErrServerClosed
	case s.refusing:
		return nil, errDraining
	case s.sessions[id] != nil:
		return nil, errIDTaken
	case s.opts.MaxSessions > 0 && len(s.sessions) >= s.opts.MaxSessions:
		return nil, errTooManySessions
	}
	s.sessions[id] = session
	return session, nil
}

var (
	errIDTaken         = errors.New("engineio: the id is taken")
	errTooManySessions = errors.New("engineio: too many sessions")
)

// begin gives the session to its receiver, and lets requests find it. Where it has ended before, the
// receiver hears of it now.
func (s *Session) begin(receiver Receiver) {
	s.mu.Lock()
	s.receiver = receiver
	ended := s.ended
	s.mu.Unlock()
	s.begun.Store(true)
	if ended != nil {
		s.server.wg.Go(func() { ended(receiver) }) // the request is counted still
	}
}

// refuseSession answers a handshake for which newSession failed.
func (s *Server) refuseSession(w http.ResponseWriter, r *http.Request, err error) {
	if errors.Is(err, errTooManySessions) || errors.Is(err, ErrServerClosed) || errors.Is(err, errDraining) {
		s.unavailable(w)
		return
	}
	s.refuse(w, r, refusal(CodeBadRequest, "name", "ID_GENERATION_ERROR", "error", err))
}

func (s *Server) unavailable(w http.ResponseWriter) {
	s.counters.full.Add(1)
	w.Header().Set("Retry-After", "5")
	w.Header().Set("Connection", "close") // the next attempt may find another server
	answer(w, http.StatusServiceUnavailable, "text/plain; charset=utf-8", "Service Unavailable")
}

// refuseUpgrade answers where the handshake of the WebSocket itself failed.
func (s *Server) refuseUpgrade(w http.ResponseWriter, r *http.Request, err error) {
	if !errors.Is(err, errHijacked) {
		s.refuse(w, r, refusal(CodeBadRequest, "name", "TRANSPORT_HANDSHAKE_ERROR", "error", err))
	}
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
		body = appendPacket(append(body, separator), Packet{Type: PacketMessage, Binary: m.Binary, Data: m.Data})
	}
	h := w.Header()
	if s.opts.Cookie != nil {
		h.Add("Set-Cookie", s.opts.Cookie.header(session.id))
	}
	if s.opts.InitialHeaders != nil {
		s.opts.InitialHeaders(h, r)
	}
	session.startBeat()
	session.begin(s.open(session))
	s.writePoll(w, r, body, nil)
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
		s.remove(session)
		s.refuseUpgrade(w, r, err)
		return
	}
	session.attach(ws)
	session.startBeat()
	ws.sendPacket(PacketOpen, session.openPacket())
	if m := s.opts.InitialMessage; m != nil {
		ws.send(NewFrame(*m), false)
	}
	session.begin(s.open(session))
	s.wg.Go(func() { session.readWebSocket(ws) }) // a fresh, small stack; the handler's ends here
}

// attach gives a new session its WebSocket. Close or Drain may have ended it since newSession.
func (s *Session) attach(ws *webSocket) {
	s.mu.Lock()
	ws.session = s
	s.ws.Store(ws)
	ended := s.state != stateOpen
	s.mu.Unlock()
	if ended {
		ws.discard()
		s.forget()
	}
}

// readWebSocket reads for the session until either ends.
func (s *Session) readWebSocket(ws *webSocket) {
	for {
		more, reason, err := ws.next(s.receive)
		if !more {
			if reason != "" {
				s.end(reason, err, false)
			}
			ws.finish()
			return
		}
		if ws.renew() {
			s.server.wg.Go(func() { s.readWebSocket(ws) })
			return
		}
	}
}

// rejectUpgraded completes an upgrade only to close it: what the reference does where no transport
// can use the WebSocket.
func (s *Server) rejectUpgraded(w http.ResponseWriter, r *http.Request) {
	ws, err := s.acceptWebSocket(w, r, w.Header().Clone())
	if err != nil {
		s.refuseUpgrade(w, r, err)
		return
	}
	s.wg.Go(ws.finish)
}
