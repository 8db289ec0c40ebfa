package engineio

import (
	"net/http"
	"strconv"
	"time"
)

// Code says why a request was refused, as the reference numbers it.
type Code int

// The codes of the reference.
const (
	CodeUnknownTransport           Code = 0
	CodeUnknownSession             Code = 1
	CodeBadHandshakeMethod         Code = 2
	CodeBadRequest                 Code = 3
	CodeForbidden                  Code = 4
	CodeUnsupportedProtocolVersion Code = 5
)

var codeMessages = [...]string{"Transport unknown", "Session ID unknown", "Bad handshake method", "Bad request", "Forbidden", "Unsupported protocol version"}

// ConnectionError is a refused request.
type ConnectionError struct {
	Request *http.Request
	Code    Code
	Message string
	Context map[string]any // what was wrong, such as the unknown transport's name
}

func (e *ConnectionError) Error() string {
	return "engineio: refused with code " + strconv.Itoa(int(e.Code)) + ": " + e.Message
}

// refusal takes the context as names and values in turn.
func refusal(code Code, context ...any) *ConnectionError {
	e := &ConnectionError{Code: code, Message: codeMessages[code]}
	for i := 0; i+1 < len(context); i += 2 {
		if e.Context == nil {
			e.Context = map[string]any{}
		}
		e.Context[context[i].(string)] = context[i+1]
	}
	return e
}

// Whoever guesses waits: beyond so many refusals a second, each is held back for a moment. Clients whose sessions
// went down with a server hardly notice, as they wait for longer before they try anew.
const (
	promptRefusals = 1000 // a second
	refusalWait    = 100 * time.Millisecond
)

// slowDown waits where there are too many refusals.
func (s *Server) slowDown(r *http.Request) {
	if s.refusals.Allow() {
		return
	}
	wait := time.NewTimer(refusalWait)
	defer wait.Stop()
	select {
	case <-wait.C:
	case <-r.Context().Done():
	case <-s.done:
	}
}

// refuse answers a request with e, as JSON, or as text to one that wants a WebSocket.
func (s *Server) refuse(w http.ResponseWriter, r *http.Request, e *ConnectionError) {
	s.slowDown(r)
	e.Request = r
	s.counters.refused[e.Code].Add(1)
	if s.opts.OnConnectionError != nil {
		s.opts.OnConnectionError(e)
	}
	h := w.Header()
	if isWebSocketRequest(r) {
		h.Set("Connection", "close")
		answer(w, http.StatusBadRequest, "text/html", e.Message)
		return
	}
	status := http.StatusBadRequest
	if e.Code == CodeForbidden {
		status = http.StatusForbidden
	}
	answer(w, status, "application/json", `{"code":`+strconv.Itoa(int(e.Code))+`,"message":`+quoteJSON(e.Message)+`}`)
}

// answer writes a whole answer; an empty contentType sends none.
func answer(w http.ResponseWriter, status int, contentType, body string) {
	h := w.Header()
	if contentType != "" {
		h.Set("Content-Type", contentType)
	} else {
		h["Content-Type"] = nil // net/http would guess one
	}
	h.Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(status)
	_, _ = w.Write([]byte(body)) // a peer that is gone ends with its connection
}
