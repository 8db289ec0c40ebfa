package engineio

import (
	"context"
	"net/http"
	"strings"
	"testing"
)

// What the tests of answers expect was observed on the reference server (the npm package engine.io).

const (
	unknownTransport = `{"code":0,"message":"Transport unknown"}`
	unknownSession   = `{"code":1,"message":"Session ID unknown"}`
	badHandshake     = `{"code":2,"message":"Bad handshake method"}`
	badRequest       = `{"code":3,"message":"Bad request"}`
	badVersion       = `{"code":5,"message":"Unsupported protocol version"}`
)

func TestRefusals(t *testing.T) {
	s := quietSite(t)
	polling := s.open(t)
	tests := []struct {
		name, method, query string
		want                reply
	}{
		{"EIO=3", "GET", "EIO=3&transport=polling", reply{400, badVersion}},
		{"unknown transport", "GET", "EIO=4&transport=abc", reply{400, unknownTransport}},
		{"WebTransport", "GET", "EIO=4&transport=webtransport", reply{400, unknownTransport}},
		{"unknown sid", "GET", "EIO=4&transport=polling&sid=none", reply{400, unknownSession}},
		{"HEAD without sid", "HEAD", "EIO=4&transport=polling", reply{400, ""}}, // which has no body
		{"POST without sid", "POST", "EIO=4&transport=polling", reply{400, badHandshake}},
		{"websocket without upgrade", "GET", "EIO=4&transport=websocket", reply{400, badRequest}},
		{"other transport than the session's", "GET", strings.Replace(polling, "polling", "websocket", 1), reply{400, badRequest}},
		{"PUT with sid", "PUT", polling, reply{500, ""}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) { s.expect(t, tt.method, tt.query, "", tt.want) })
	}
}

// TestJSONPIsNotServed: a "j" in the query, which asks the reference for a script, changes nothing.
func TestJSONPIsNotServed(t *testing.T) {
	s := quietSite(t)
	query := s.open(t) + "&j=0"
	s.expect(t, "POST", query, "d=4hello", reply{200, "ok"}) // a form is no packet
	if reason := <-s.ended; reason != ReasonParseError {
		t.Errorf("ended with %q", reason)
	}
	query = s.open(t) + "&j=0"
	s.expect(t, "POST", query, "4hello", reply{200, "ok"})
	res, got := s.do(t, "GET", query, "", "User-Agent", "Mozilla/5.0 (Windows NT 6.3; Trident/7.0; rv:11.0) like Gecko")
	if contentType := res.Header.Get("Content-Type"); got != (reply{200, "4hello"}) || contentType != "text/plain; charset=UTF-8" {
		t.Errorf("%v, %s", got, contentType)
	}
	if got := res.Header.Get("X-XSS-Protection"); got != "" {
		t.Errorf("a filter against what JSONP looks like is set to %q", got)
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
		{"base64 of the URL's alphabet", "b_-8=", reply{200, "ok"}, ReasonParseError, nil},
		{"base64 with a space", "bAQ ==", reply{200, "ok"}, ReasonParseError, nil},
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
