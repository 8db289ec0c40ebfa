package engineio

import (
	"net/http"
	"net/url"
	"strings"
	"time"
)

// Request is what a session keeps of its handshake. Its parts are kept as text and taken apart when
// asked for: most sessions are never asked.
type Request struct {
	// URL is the request's target, path and query.
	URL string
	// RemoteAddr is the peer's address and port, as net/http gives it.
	RemoteAddr string
	// Secure tells whether the request came over TLS.
	Secure bool
	// Issued is when the handshake came.
	Issued time.Time

	header string // lines "Name: value\n"
}

// newRequest keeps the headers that are named; nil means all but those that only make a WebSocket
// (RFC 6455, § 4.1).
func newRequest(r *http.Request, names []string) Request {
	kept := http.Header{}
	if names == nil {
		for name, values := range r.Header {
			if name != "Connection" && name != "Upgrade" && !strings.HasPrefix(name, "Sec-Websocket-") {
				kept[name] = values
			}
		}
	}
	for _, name := range names {
		name = http.CanonicalHeaderKey(name)
		if values := r.Header[name]; values != nil {
			kept[name] = values
		}
	}
	size := len("Host: \n") + len(r.Host)
	for name, values := range kept {
		for _, v := range values {
			size += len(name) + len(": \n") + len(v)
		}
	}
	var b strings.Builder
	b.Grow(size)
	b.WriteString("Host: ")
	b.WriteString(r.Host)
	b.WriteByte('\n')
	for name, values := range kept {
		for _, v := range values {
			b.WriteString(name)
			b.WriteString(": ")
			b.WriteString(v)
			b.WriteByte('\n')
		}
	}
	return Request{URL: r.URL.RequestURI(), RemoteAddr: r.RemoteAddr, Secure: r.TLS != nil, Issued: time.Now(), header: b.String()}
}

// Header returns the request's headers, Host included, less those that Options.RequestHeaders left out
// and those that only made a WebSocket. The caller owns the map.
func (r *Request) Header() http.Header {
	h := http.Header{}
	for line := range strings.Lines(r.header) {
		name, value, _ := strings.Cut(strings.TrimSuffix(line, "\n"), ": ")
		h[name] = append(h[name], value)
	}
	return h
}

// Query returns the query's parameters as plain decoded strings; of a repeated one, the first.
func (r *Request) Query() map[string]string {
	q := map[string]string{}
	if u, err := url.ParseRequestURI(r.URL); err == nil {
		for name, values := range u.Query() {
			q[name] = values[0]
		}
	}
	return q
}
