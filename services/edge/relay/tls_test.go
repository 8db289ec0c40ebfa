package relay

import (
	"crypto/tls"
	"crypto/x509"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"
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
