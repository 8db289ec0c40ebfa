package relay

import (
	"crypto/tls"
	"crypto/x509"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"
)

// TestRelayOverTLS asks for a session of an edge that speaks TLS at one that trusts its certificate, and at one that does not.
func TestRelayOverTLS(t *testing.T) {
	secure := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "relayed") }))
	t.Cleanup(secure.Close)
	trusted := x509.NewCertPool()
	trusted.AddCert(secure.Certificate())
	for name, config := range map[string]*tls.Config{"relayed": {RootCAs: trusted}, "GET ": {RootCAs: x509.NewCertPool()}} {
		e := newEdge(t, secretA)
		e.options.TLS = config.Clone
		sid := e.sids.Seal("https://"+secure.Listener.Addr().String(), "")
		if code, body := e.ask(t, http.MethodGet, sid, "", nil); code != http.StatusOK || body != name {
			t.Errorf("%d %q, want %q", code, body, name)
		}
	}
}

// TestWebSocketsAreCarriedOverTLS to an owner that speaks it.
func TestWebSocketsAreCarriedOverTLS(t *testing.T) {
	heard := make(chan string, 1)
	secure := httptest.NewTLSServer(upgrade(t, func(conn net.Conn) {
		defer conn.Close() //nolint:errcheck // a test's
		_, _ = io.WriteString(conn, "welcome")
		last, _ := io.ReadAll(conn)
		heard <- string(last)
	}))
	t.Cleanup(secure.Close)
	trusted := x509.NewCertPool()
	trusted.AddCert(secure.Certificate())
	e := newEdge(t, secretA)
	e.options.TLS = (&tls.Config{RootCAs: trusted}).Clone
	conn, reader := upgraded(t, e, e.sids.Seal("https://"+secure.Listener.Addr().String(), ""))
	_ = conn.SetDeadline(time.Now().Add(10 * time.Second))
	_, _ = io.WriteString(conn, "goodbye")
	_ = conn.(*net.TCPConn).CloseWrite()
	if got, err := io.ReadAll(reader); err != nil || string(got) != "welcome" {
		t.Errorf("%q, %v", got, err)
	}
	if got := <-heard; got != "goodbye" {
		t.Errorf("the owner has %q", got)
	}
	e.gone(t)
}
