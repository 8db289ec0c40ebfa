package engineio

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"testing"
	"time"
)

// site is an echo server on a real listener.
type site struct {
	*httptest.Server
	engine  *Server
	opened  chan *Session // each session, as far as there is room
	waiting chan struct{} // one value for each poll that begins to wait
	ended   chan Reason   // one value for each session's end
	before  func(Message) // called before the echo of sessions that open from then on; nil: nothing is
}

// echo is a Receiver that sends back what it gets.
type echo struct {
	session *Session
	ended   chan<- Reason
}

func (e echo) ReceiveMessage(m Message) {
	e.session.Send(NewFrame(Message{Binary: m.Binary, Data: bytes.Clone(m.Data)}))
}

func (e echo) ReceiveClose(reason Reason, _ error) {
	select {
	case e.ended <- reason:
	default: // a test of thousands looks at none of them
	}
}

// pausing is an echo after something else.
type pausing struct {
	echo
	before func(Message)
}

func (p pausing) ReceiveMessage(m Message) {
	p.before(m)
	p.echo.ReceiveMessage(m)
}

// waitContext tells when somebody begins to wait for a request's end: a poll, once it is registered.
type waitContext struct {
	context.Context
	waiting chan<- struct{}
}

func (c waitContext) Done() <-chan struct{} {
	select {
	case c.waiting <- struct{}{}:
	default:
	}
	return c.Context.Done()
}

func newSite(t *testing.T, interval, timeout time.Duration) *site {
	return serve(t, Options{Path: "/engine.io/", PingInterval: interval, PingTimeout: timeout, MaxPayload: 1e6, CORS: &CORS{Origins: []string{"*"}}})
}

// serve starts an echo server, behind what the wrappers make of it.
func serve(t *testing.T, opts Options, wrap ...func(http.Handler) http.Handler) *site {
	s := &site{waiting: make(chan struct{}, 16), ended: make(chan Reason, 1024), opened: make(chan *Session, 1024)}
	if opts.PingInterval == 0 {
		opts.PingInterval = time.Minute
	}
	s.engine = NewServer(opts, func(session *Session) Receiver {
		select {
		case s.opened <- session:
		default:
		}
		if s.before != nil {
			return pausing{echo{session, s.ended}, s.before}
		}
		return echo{session, s.ended}
	})
	var handler http.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.engine.ServeHTTP(w, r.WithContext(waitContext{r.Context(), s.waiting}))
	})
	for _, f := range wrap {
		handler = f(handler)
	}
	s.Server = httptest.NewServer(handler)
	s.Client().Transport.(*http.Transport).ExpectContinueTimeout = 20 * time.Second
	t.Cleanup(func() {
		if err := s.engine.Close(context.Background()); err != nil {
			t.Error(err)
		}
		s.Server.Close()
	})
	return s
}

// The sites of most tests: heartbeats that do not disturb, that come soon, and that run out soon.
func quietSite(t *testing.T) *site     { return newSite(t, time.Minute, time.Minute) }
func beatingSite(t *testing.T) *site   { return newSite(t, 300*time.Millisecond, time.Minute) }
func impatientSite(t *testing.T) *site { return newSite(t, 300*time.Millisecond, 200*time.Millisecond) }

// reply is an answer in short.
type reply struct {
	status int
	body   string
}

func (s *site) do(t *testing.T, method, query, body string, header ...string) (*http.Response, reply) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, s.URL+"/engine.io/?"+query, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	res, err := s.Client().Do(req)
	if err != nil {
		t.Error(err)
		return &http.Response{Header: http.Header{}}, reply{}
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		t.Error(err)
	}
	return res, reply{res.StatusCode, string(b)}
}

// expect does a request and compares its answer.
func (s *site) expect(t *testing.T, method, query, body string, want reply, header ...string) {
	t.Helper()
	if _, got := s.do(t, method, query, body, header...); got != want {
		t.Errorf("%s %s: %v, want %v", method, query, got, want)
	}
}

// open starts a polling session and returns the query of its requests.
func (s *site) open(t *testing.T) string {
	t.Helper()
	_, got := s.do(t, "GET", "EIO=4&transport=polling", "")
	var data openData
	if got.status != 200 || !strings.HasPrefix(got.body, "0") || json.Unmarshal([]byte(got.body[1:]), &data) != nil {
		t.Fatalf("handshake: %v", got)
	}
	return "EIO=4&transport=polling&sid=" + data.SID
}

// poll sends a poll and returns once it waits; its answer comes on the channel.
func (s *site) poll(t *testing.T, query string) <-chan reply {
	answered := make(chan reply, 1)
	go func() {
		_, got := s.do(t, "GET", query, "")
		answered <- got
	}()
	<-s.waiting
	return answered
}

// allocatedBytes is all that the process has allocated until now.
func allocatedBytes() uint64 {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.TotalAlloc
}
