package engineio

import "time"

// lastLinger is what Server.Close leaves of closeLinger.
const lastLinger = time.Second

// linger notes that a WebSocket waits for its peer's end. The WebSocket's lock is held.
func (s *Server) linger(t *webSocket) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closing[t] = struct{}{}
	if s.closed {
		t.lingerFor(lastLinger)
	}
}

func (s *Server) unlinger(t *webSocket) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.closing, t)
}

func (t *webSocket) lingerFor(d time.Duration) {
	deadline := time.Now().Add(d)
	_ = t.Conn.SetWriteDeadline(deadline)
	_ = t.Conn.SetReadDeadline(deadline) // the reader ends with it at the latest
}
