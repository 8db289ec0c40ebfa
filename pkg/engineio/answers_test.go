package engineio

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

// What the tests of answers expect was observed on the reference server (the npm package engine.io).

const (
	unknownTransport = `{"code":0,"message":"Transport unknown"}`
	unknownSession   = `{"code":1,"message":"Session ID unknown"}`
	badHandshake     = `{"code":2,"message":"Bad handshake method"}`
	badRequest       = `{"code":3,"message":"Bad request"}`
	badVersion       = `{"code":5,"message":"Unsupported protocol version"}`
)

// site is an echo server on a real listener.
type site struct {
	*httptest.Server
	waiting chan struct{} // one value for each poll that begins to wait
	ended   chan Reason   // one value for each session's end
}

// echo is a Receiver that sends back what it gets.
type echo struct {
	session *Session
	ended   chan<- Reason
}

func (e echo) ReceiveMessage(m Message) {
	e.session.Send(NewFrame(Message{Binary: m.Binary, Data: bytes.Clone(m.Data)}))
}

func (e echo) ReceiveClose(reason Reason, _ error) { e.ended <- reason }

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
	s := &site{waiting: make(chan struct{}, 16), ended: make(chan Reason, 16)}
	opts := Options{Path: "/engine.io/", PingInterval: interval, PingTimeout: timeout, MaxPayload: 1e6, CORS: &CORS{Origins: []string{"*"}}}
	engine := NewServer(opts, func(session *Session) Receiver { return echo{session, s.ended} })
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		engine.ServeHTTP(w, r.WithContext(waitContext{r.Context(), s.waiting}))
	}))
	s.Client().Transport.(*http.Transport).ExpectContinueTimeout = 20 * time.Second
	t.Cleanup(func() {
		if err := engine.Close(context.Background()); err != nil {
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

func TestRefusals(t *testing.T) {
	s := quietSite(t)
	polling := s.open(t)
	tests := []struct {
		name, method, query string
		want                reply
	}{
		{"EIO=3", "GET", "EIO=3&transport=polling", reply{400, badVersion}},
		{"unknown transport", "GET", "EIO=4&transport=abc", reply{400, unknownTransport}},
		{"unknown sid", "GET", "EIO=4&transport=polling&sid=none", reply{400, unknownSession}},
		{"POST without sid", "POST", "EIO=4&transport=polling", reply{400, badHandshake}},
		{"websocket without upgrade", "GET", "EIO=4&transport=websocket", reply{400, badRequest}},
		{"other transport than the session's", "GET", strings.Replace(polling, "polling", "websocket", 1), reply{400, badRequest}},
		{"PUT with sid", "PUT", polling, reply{500, ""}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) { s.expect(t, tt.method, tt.query, "", tt.want) })
	}
}

func TestPostsThatEndTheSession(t *testing.T) {
	tests := []struct {
		name, body string
		want       reply
		reason     Reason
		header     []string
	}{
		{"invalid packet", "abc", reply{200, "ok"}, ReasonParseError, nil},
		{"close", "1", reply{200, "ok"}, ReasonTransportClose, nil},
		{"ping", "2", reply{200, "ok"}, ReasonTransportError, nil},
		{"octet-stream", "4a", reply{400, ""}, ReasonTransportError, []string{"Content-Type", "application/octet-stream"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := quietSite(t)
			query := s.open(t)
			s.expect(t, "POST", query, tt.body, tt.want, tt.header...)
			if reason := <-s.ended; reason != tt.reason {
				t.Errorf("ended with %q, want %q", reason, tt.reason)
			}
			s.expect(t, "GET", query, "", reply{400, unknownSession})
		})
	}
}

func TestPollingEcho(t *testing.T) {
	s := quietSite(t)
	query := s.open(t)
	s.expect(t, "POST", query, "4hi\x1ebAQI=", reply{200, "ok"})
	s.expect(t, "GET", query, "", reply{200, "4hi\x1ebAQI="})
	answered := s.poll(t, query)
	s.expect(t, "POST", query, "4late", reply{200, "ok"})
	if got := <-answered; got != (reply{200, "4late"}) {
		t.Errorf("waiting poll: %v", got)
	}
}

func TestCloseReleasesThePoll(t *testing.T) {
	s := quietSite(t)
	query := s.open(t)
	answered := s.poll(t, query)
	s.expect(t, "POST", query, "1", reply{200, "ok"})
	if got := <-answered; got != (reply{200, "6"}) {
		t.Errorf("waiting poll: %v", got)
	}
	s.expect(t, "GET", query, "", reply{400, unknownSession})
}

func TestOverlappingPolls(t *testing.T) {
	s := quietSite(t)
	query := s.open(t)
	first := s.poll(t, query)
	s.expect(t, "GET", query, "", reply{400, ""})
	if got := <-first; got != (reply{200, "1"}) {
		t.Errorf("first poll: %v", got)
	}
	s.expect(t, "GET", query, "", reply{400, unknownSession})
}

func TestCancelledPoll(t *testing.T) {
	s := quietSite(t)
	query := s.open(t)
	ctx, cancel := context.WithCancel(t.Context())
	req, err := http.NewRequestWithContext(ctx, "GET", s.URL+"/engine.io/?"+query, nil)
	if err != nil {
		t.Fatal(err)
	}
	go func() {
		<-s.waiting
		cancel()
	}()
	if res, err := s.Client().Do(req); err == nil {
		res.Body.Close()
		t.Errorf("the poll was answered with %s before it was cancelled", res.Status)
	}
	if reason := <-s.ended; reason != ReasonTransportError {
		t.Errorf("ended with %q", reason)
	}
	s.expect(t, "GET", query, "", reply{400, unknownSession})
}

// TestTooLargePost also checks that the session outlives its refusal.
func TestTooLargePost(t *testing.T) {
	s := beatingSite(t)
	query := s.open(t)
	s.expect(t, "POST", query, "4"+strings.Repeat("a", 1e6), reply{413, ""}, "Expect", "100-continue")
	s.expect(t, "GET", query, "", reply{200, "2"})
}

func TestPollingPingTimeout(t *testing.T) {
	s := impatientSite(t)
	query := s.open(t)
	if reason := <-s.ended; reason != ReasonPingTimeout {
		t.Errorf("ended with %q", reason)
	}
	s.expect(t, "GET", query, "", reply{400, unknownSession})
}

func TestAnswerHeaders(t *testing.T) {
	s := quietSite(t)
	tests := []struct {
		method string
		status int
		want   map[string]string
	}{
		{"GET", 200, map[string]string{
			"Access-Control-Allow-Origin": "*", "Content-Type": "text/plain; charset=UTF-8", "Cache-Control": "no-store",
		}},
		{"OPTIONS", 204, map[string]string{
			"Access-Control-Allow-Origin": "*", "Access-Control-Allow-Methods": "GET,HEAD,PUT,PATCH,POST,DELETE",
			"Vary": "Access-Control-Request-Headers",
		}},
	}
	for _, tt := range tests {
		res, got := s.do(t, tt.method, "EIO=4&transport=polling", "")
		if got.status != tt.status {
			t.Errorf("%s: status %d, want %d", tt.method, got.status, tt.status)
		}
		for name, want := range tt.want {
			if got := res.Header.Get(name); got != want {
				t.Errorf("%s: %s is %q, want %q", tt.method, name, got, want)
			}
		}
	}
}
