package app

import (
	"bytes"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"sync/atomic"
	"testing"
)

// refusing is a way to a server that lets as many sessions begin as there are clients, and then refuses that many.
func refusing(t *testing.T, server string, clients, refusals int64) string {
	t.Helper()
	to, err := url.Parse(server)
	if err != nil {
		t.Fatal(err)
	}
	proxy := httputil.NewSingleHostReverseProxy(to)
	var begun atomic.Int64
	front := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if n := begun.Add(1); n > clients && n <= clients+refusals {
			http.Error(w, "later", http.StatusServiceUnavailable)
			return
		}
		proxy.ServeHTTP(w, r)
	}))
	t.Cleanup(front.Close)
	return front.URL
}

// Who is refused and comes back is no failure of the server; who stays away is one.
func TestRefusalsInTheAvalanche(t *testing.T) {
	server := socketIO(t)
	for _, test := range []struct {
		name                          string
		refusals                      int64
		back, attempts, retried, fail int
		code                          int
	}{
		{"once each", 3, 3, 6, 3, 0, 0},
		{"for ever", 1 << 30, 0, 60, 57, 3, 2},
	} {
		var out bytes.Buffer
		s := parse(t, "--url", refusing(t, server, 3, test.refusals), "--scenario", "avalanche", "--clients", "3", "--backoff", "1ms", "--backoff-max", "1ms", "--strict", "--json", "-")
		if code := Code(Run(t.Context(), s, &out, io.Discard)); code != test.code {
			t.Errorf("%s: code %d, want %d", test.name, code, test.code)
		}
		r := &decode(t, out.Bytes()).Results[0]
		r.want(t, "cut", 3, "back", test.back, "attempts", test.attempts)
		retried := 0
		for _, n := range r.Retried {
			retried += n
		}
		if retried != test.retried || r.Failed() != test.fail {
			t.Errorf("%s: %d tried again, %d failed, want %d and %d: %v, %v", test.name, retried, r.Failed(), test.retried, test.fail, r.Retried, r.Failures)
		}
	}
}
