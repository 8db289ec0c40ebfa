package engineio

import (
	"context"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/gorilla/websocket"
	"golang.org/x/time/rate"
)

// Server is an http.Handler that holds sessions. Its goroutines end with Close.
type Server struct {
	opts     Options
	open     func(*Session) Receiver
	upgrader websocket.Upgrader
	beats    *beats
	outbox   outbox
	heavy    turns
	requests turns
	refusals *rate.Limiter // that are answered at once
	intake   intake
	answers  compressedAnswers
	started  time.Time
	counters counters
	done     chan struct{}
	wg       sync.WaitGroup // requests, flushers, drains, readers, closing receivers, the wheel

	mu       sync.Mutex
	sessions map[string]*Session
	probing  map[*webSocket]struct{}
	closing  map[*webSocket]struct{} // those that have sent a close frame
	closed   bool
	refusing bool // handshakes, since Drain
}

// NewServer returns a server that calls open for each new session, before anything of that session
// is received. What open sends follows the handshake.
func NewServer(opts Options, open func(*Session) Receiver) *Server {
	s := &Server{
		opts:     opts.withDefaults(),
		open:     open,
		started:  time.Now(),
		done:     make(chan struct{}),
		sessions: map[string]*Session{},
		probing:  map[*webSocket]struct{}{},
		closing:  map[*webSocket]struct{}{},
	}
	s.opts.counters = &s.counters
	if d := s.opts.PerMessageDeflate; d != nil {
		counted := *d
		counted.counters = &s.counters
		s.opts.PerMessageDeflate = &counted
	}
	s.upgrader = newUpgrader(&s.opts)
	s.heavy, s.requests, s.intake.bound = newTurns(), newTurns(), s.opts.MaxReceiving
	s.refusals = rate.NewLimiter(promptRefusals, promptRefusals)
	s.beats = newBeats(s)
	s.wg.Go(func() { s.beats.run(s.done) })
	return s
}

func (s *Server) elapsed() time.Duration { return time.Since(s.started) }

// enter counts a request, unless the server is closed.
func (s *Server) enter() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.closed {
		s.wg.Add(1)
	}
	return !s.closed
}

// Len is the number of sessions.
func (s *Server) Len() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.sessions)
}

func (s *Server) lookup(id string) *Session {
	s.mu.Lock()
	defer s.mu.Unlock()
	session := s.sessions[id]
	if session != nil && !session.begun.Load() {
		return nil
	}
	return session
}

func (s *Server) remove(session *Session) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.sessions, session.id)
	if session.gone != nil {
		close(session.gone)
		session.gone = nil
	}
}

// Close discards all sessions, refuses new ones, and returns when no goroutine, timer or request of
// the server is left, or with ctx. WebSockets that have been closed before have one more second to
// flush.
func (s *Server) Close(ctx context.Context) error {
	s.mu.Lock()
	if !s.closed {
		s.closed = true
		close(s.done)
	}
	sessions := make([]*Session, 0, len(s.sessions))
	for _, session := range s.sessions {
		sessions = append(sessions, session)
	}
	probing := slices.Collect(maps.Keys(s.probing))
	for ws := range s.closing {
		ws.lingerFor(lastLinger)
	}
	s.mu.Unlock()
	for _, ws := range probing {
		ws.discard()
	}
	s.outbox.close()
	for _, session := range sessions {
		session.end(ReasonServerShuttingDown, ErrServerClosed, false)
		session.forget() // where it ended before, but waits for a last poll
	}
	released := make(chan struct{})
	go func() {
		s.wg.Wait()
		close(released)
	}()
	select {
	case <-released:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// ServeHTTP serves one request under Options.Path. How long a client may take to send its headers,
// and how long it may be idle between requests, are the http.Server's to bound: ReadHeaderTimeout,
// IdleTimeout. A poll takes up to PingInterval, so its WriteTimeout must be longer than that.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if strings.TrimSuffix(r.URL.Path, "/") != strings.TrimSuffix(s.opts.Path, "/") {
		http.NotFound(w, r)
		return
	}
	if !s.enter() {
		s.unavailable(w)
		return
	}
	defer s.wg.Done()
	if r.ContentLength != 0 { // also where it is refused: net/http reads it to its end
		_ = http.NewResponseController(w).SetReadDeadline(time.Now().Add(s.opts.PingInterval + s.opts.PingTimeout))
	}
	h := w.Header()
	if s.opts.CORS != nil && s.opts.CORS.apply(w, r) {
		return
	}
	h.Set("Cache-Control", "no-store")
	if s.opts.Headers != nil {
		s.opts.Headers(h, r)
	}
	turn := turn{of: s.requests}
	turn.take()
	turn.limit()
	defer turn.giveBack()
	q := r.URL.Query()
	session, refused := s.verify(r, q, &turn)
	if refused != nil || session != nil && !isWebSocketRequest(r) {
		turn.giveBack() // it may wait
	}
	switch {
	case refused != nil:
		s.refuse(w, r, refused)
	case session == nil && isWebSocketRequest(r):
		s.handshakeWebSocket(w, r, q)
	case session == nil:
		s.handshakePolling(w, r)
	case isWebSocketRequest(r):
		s.upgrade(w, r, session)
	case r.Method == http.MethodGet:
		session.servePoll(w, r)
	case r.Method == http.MethodPost:
		session.servePost(w, r)
	default:
		answer(w, http.StatusInternalServerError, "", "")
	}
}

// verify checks what a request claims, in the reference's order, and finds its session. It gives the turn back
// while it asks the application.
func (s *Server) verify(r *http.Request, q url.Values, turn *turn) (*Session, *ConnectionError) {
	transport, upgrade := q.Get("transport"), isWebSocketRequest(r)
	if transport != "polling" && transport != "websocket" ||
		transport == "polling" && s.opts.DisablePolling || transport == "websocket" && s.opts.DisableWebSocket {
		return nil, refusal(CodeUnknownTransport, "transport", transport)
	}
	if origin := r.Header.Get("Origin"); !validHeaderValue(origin) {
		r.Header.Del("Origin")
		return nil, refusal(CodeBadRequest, "name", "INVALID_ORIGIN", "origin", origin)
	}
	if upgrade && s.opts.CORS != nil && s.opts.CORS.EnforceOnWebSocket && !s.opts.CORS.allows(r) {
		return nil, refusal(CodeForbidden, "name", "FOREIGN_ORIGIN", "origin", r.Header.Get("Origin"))
	}
	if id := q.Get("sid"); id != "" {
		session := s.lookup(id)
		if session == nil || session.lapsed() {
			return nil, refusal(CodeUnknownSession, "sid", id)
		}
		if previous := session.Transport(); !upgrade && previous != transport {
			return nil, refusal(CodeBadRequest, "name", "TRANSPORT_MISMATCH", "transport", transport, "previousTransport", previous)
		}
		if protocol := q.Get("EIO"); protocol != "4" {
			return nil, refusal(CodeBadRequest, "name", "PROTOCOL_MISMATCH", "protocol", protocol, "previousProtocol", "4")
		}
		return session, nil
	}
	if r.Method != http.MethodGet {
		return nil, refusal(CodeBadHandshakeMethod, "method", r.Method)
	}
	if transport == "websocket" && !upgrade {
		return nil, refusal(CodeBadRequest, "name", "TRANSPORT_HANDSHAKE_ERROR")
	}
	if s.opts.AllowRequest != nil {
		turn.giveBack()
		err := s.opts.AllowRequest(r)
		turn.take()
		turn.limit()
		if err != nil {
			refused := refusal(CodeForbidden, "message", err.Error())
			refused.Message = err.Error()
			return nil, refused
		}
	}
	if q.Get("EIO") != "4" {
		return nil, refusal(CodeUnsupportedProtocolVersion, "protocol", q.Get("EIO"))
	}
	return nil, nil
}

// validHeaderValue tells whether a value could stand in a header: no control characters.
func validHeaderValue(v string) bool {
	for i := range len(v) {
		if v[i] < ' ' && v[i] != '\t' || v[i] == 0x7f {
			return false
		}
	}
	return true
}
