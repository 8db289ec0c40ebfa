package engineio

import (
	"net/http"
	"time"
)

// upgrade moves a polling session to a WebSocket (§ Upgrade):
//
//	client                server
//	2probe ─────────────▶ 3probe; the waiting poll is released with 6
//	5      ─────────────▶ the queue moves over; polling is refused from now on
//
// Anything else, or nothing within UpgradeTimeout, ends only the WebSocket.
func (s *Server) upgrade(w http.ResponseWriter, r *http.Request, session *Session) {
	ws, err := s.acceptWebSocket(w, r, w.Header().Clone())
	if err != nil {
		s.refuseUpgrade(w, r, err)
		return
	}
	s.mu.Lock()
	closed := s.closed
	if !closed {
		s.probing[ws] = struct{}{}
	}
	s.mu.Unlock()
	if closed {
		ws.discard()
		return
	}
	session.mu.Lock()
	refused := session.state != stateOpen || session.upgrading != nil || session.ws.Load() != nil || s.opts.DisableUpgrades || r.URL.Query().Get("transport") != "websocket"
	if !refused {
		session.upgrading = ws
	}
	session.mu.Unlock()
	s.wg.Go(func() {
		if !refused && session.probe(ws) {
			if r, hears := session.receiver.(UpgradeReceiver); hears {
				r.ReceiveUpgrade()
			}
			session.readWebSocket(ws)
			return
		}
		s.forgetProbe(ws)
		session.mu.Lock()
		if session.upgrading == ws {
			session.upgrading, session.probed = nil, false
		}
		session.mu.Unlock()
		ws.finish()
	})
}

func (s *Server) forgetProbe(ws *webSocket) {
	s.mu.Lock()
	delete(s.probing, ws)
	s.mu.Unlock()
}

// probe answers the client's probe and waits for its word; true when the session has moved.
func (s *Session) probe(ws *webSocket) bool {
	_ = ws.Conn.SetReadDeadline(time.Now().Add(s.server.opts.UpgradeTimeout))
	moved := false
	for more := true; more; {
		more, _, _ = ws.next(func(p Packet) bool {
			if p.Type == PacketUpgrade { // also without a probe, as the reference does
				moved = s.move(ws)
			}
			return p.Type == PacketPing && string(p.Data) == "probe" && s.answerProbe(ws)
		})
	}
	return moved
}

// answerProbe releases the poll that waits: the client leaves polling when it has its answer.
func (s *Session) answerProbe(ws *webSocket) (first bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.upgrading != ws || s.probed {
		return false
	}
	s.probed = true
	ws.sendPacket(PacketPong, "probe")
	if s.poll != nil && s.queue.empty() {
		s.queue.append(entry{packet: PacketNoop})
		s.poll.release()
	}
	return true
}

// move makes ws the session's transport. What waits for a poll goes over it, before anything new; of a
// session that has been closed meanwhile nothing else does.
func (s *Session) move(ws *webSocket) bool {
	s.server.forgetProbe(ws)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.state == stateClosed || s.upgrading != ws {
		return false
	}
	s.upgrading, s.probed = nil, false
	_ = ws.Conn.SetReadDeadline(time.Time{})
	ws.mu.Lock()
	ws.session = s
	for _, e := range s.queue.take(s.queue.bytes) {
		if e.frame != nil || e.packet != PacketNoop && e.packet != PacketClose {
			ws.queue.append(e)
		}
	}
	if !ws.queue.empty() {
		ws.startDrain()
	}
	ws.mu.Unlock()
	if s.state == stateClosing {
		s.closed()
		return false // whoever reads from ws closes it
	}
	if s.poll != nil {
		s.queue.append(entry{packet: PacketNoop})
		s.poll.release()
	}
	s.ws.Store(ws)
	s.server.counters.upgraded.Add(1)
	return true
}
