package service

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"sync"
	"time"

	"google.golang.org/grpc/credentials"
)

// ServerTLS are the settings of a service that speaks TLS to those who call it; it is embedded in the
// service's own. Files that change are read again at the next handshake.
type ServerTLS struct {
	TLSCert     string `name:"tls-cert" unit:"path" group:"TLS" help:"Certificate that callers are shown (PEM, the whole chain). Empty: no TLS."`
	TLSKey      string `name:"tls-key" unit:"path" group:"TLS" help:"Its key (PEM)."`
	TLSClientCA string `name:"tls-client-ca" unit:"path" group:"TLS" help:"Authorities (PEM) of the certificates that callers must show. Empty: they need none."`
}

// Config is nil without a certificate. The error names the setting. The log hears of files that cannot be read again.
func (s ServerTLS) Config(log *slog.Logger) (*tls.Config, error) {
	if s.TLSCert == "" {
		if s.TLSKey != "" || s.TLSClientCA != "" {
			return nil, errors.New("tls-cert: needed with tls-key and tls-client-ca")
		}
		return nil, nil
	}
	pair := &certificate{reread: reread{setting: "tls-cert", log: log}, cert: s.TLSCert, key: s.TLSKey}
	if _, err := pair.get(); err != nil {
		return nil, err
	}
	config := &tls.Config{
		MinVersion:     tls.VersionTLS12,
		GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return pair.get() },
	}
	if s.TLSClientCA == "" {
		return config, nil
	}
	callers := &authorities{reread: reread{setting: "tls-client-ca", log: log}, file: s.TLSClientCA}
	if _, err := callers.get(); err != nil {
		return nil, err
	}
	config.GetConfigForClient = func(*tls.ClientHelloInfo) (*tls.Config, error) {
		pool, err := callers.get()
		if err != nil {
			return nil, err
		}
		own := config.Clone()
		own.GetConfigForClient = nil
		own.ClientAuth, own.ClientCAs = tls.RequireAndVerifyClientCert, pool
		return own, nil
	}
	return config, nil
}

// ClientTLS says how a service calls another over TLS. Files that change are read again at the next connection.
type ClientTLS struct {
	Setting   string       // prefix of the settings' names: "fanout" of fanout-ca, fanout-cert, fanout-key
	CA        string       // file of the authorities (PEM) that the other's certificate must be from
	Cert, Key string       // files of the certificate to show; empty for none
	Name      string       // that the other's certificate must hold; empty: the address that is called
	System    bool         // without CA, TLS is spoken all the same, with the system's authorities
	Log       *slog.Logger // hears of files that cannot be read again; nil: nobody does
}

// Next returns what makes the configuration of the next connection, of the files as they are then; nil without
// authorities. The error names the setting.
func (c ClientTLS) Next() (next func() *tls.Config, err error) {
	if c.CA == "" && !c.System {
		if c.Cert != "" || c.Key != "" || c.Name != "" {
			return nil, fmt.Errorf("%s-ca: needed for TLS", c.Setting)
		}
		return nil, nil
	}
	if c.Key != "" && c.Cert == "" {
		return nil, fmt.Errorf("%s-cert: needed with %s-key", c.Setting, c.Setting)
	}
	config := &tls.Config{MinVersion: tls.VersionTLS12, ServerName: c.Name}
	if c.Cert != "" {
		pair := &certificate{reread: reread{setting: c.Setting + "-cert", log: c.Log}, cert: c.Cert, key: c.Key}
		if _, err := pair.get(); err != nil {
			return nil, err
		}
		config.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return pair.get() }
	}
	if c.CA == "" {
		return config.Clone, nil
	}
	others := &authorities{reread: reread{setting: c.Setting + "-ca", log: c.Log}, file: c.CA}
	if _, err := others.get(); err != nil {
		return nil, err
	}
	return func() *tls.Config {
		own := config.Clone()
		own.RootCAs, _ = others.get() // which has been read once, and so never fails
		return own
	}, nil
}

// Credentials are those of gRPC, nil without authorities. The error names the setting.
func (c ClientTLS) Credentials() (credentials.TransportCredentials, error) {
	next, err := c.Next()
	if next == nil {
		return nil, err
	}
	return renewed{credentials.NewTLS(next()), next}, nil
}

// renewed are credentials made anew for each connection.
type renewed struct {
	credentials.TransportCredentials
	next func() *tls.Config
}

// ClientHandshake implements credentials.TransportCredentials.
func (r renewed) ClientHandshake(ctx context.Context, authority string, conn net.Conn) (net.Conn, credentials.AuthInfo, error) {
	return credentials.NewTLS(r.next()).ClientHandshake(ctx, authority, conn)
}

// Clone implements credentials.TransportCredentials.
func (r renewed) Clone() credentials.TransportCredentials { return r }

// reread tells how it goes with files that are read again. The caller holds the lock of what they are.
type reread struct {
	setting string
	log     *slog.Logger // nil: nobody hears it
	trouble string       // as it was logged
}

// tell says once that what was read before holds on, and once that it has been replaced.
func (r *reread) tell(err error) {
	switch {
	case r.log == nil:
	case err != nil && err.Error() != r.trouble:
		r.trouble = err.Error()
		r.log.Warn("a file of TLS cannot be read again, what it said before holds", "setting", r.setting, "error", err)
	case err == nil:
		r.trouble = ""
		r.log.Info("a file of TLS has been read again", "setting", r.setting)
	}
}

// certificate is a pair of files, read again when one has changed.
type certificate struct {
	reread
	cert, key string

	mu      sync.Mutex
	changed [2]time.Time
	loaded  *tls.Certificate
}

func (c *certificate) get() (*tls.Certificate, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := [2]time.Time{changedAt(c.cert), changedAt(c.key)}
	if c.loaded != nil && now == c.changed {
		return c.loaded, nil
	}
	pair, err := tls.LoadX509KeyPair(c.cert, c.key)
	if err != nil {
		if c.loaded != nil { // it may be that one of the two is being replaced; the next handshake looks again
			c.tell(err)
			return c.loaded, nil
		}
		return nil, fmt.Errorf("%s: %w", c.setting, err)
	}
	if c.loaded != nil {
		c.tell(nil)
	}
	c.loaded, c.changed = &pair, now
	return c.loaded, nil
}

// authorities is a file of certificates, read again when it has changed.
type authorities struct {
	reread
	file string

	mu      sync.Mutex
	changed time.Time
	pool    *x509.CertPool
}

func (a *authorities) get() (*x509.CertPool, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	now := changedAt(a.file)
	if a.pool != nil && now.Equal(a.changed) {
		return a.pool, nil
	}
	text, err := os.ReadFile(a.file)
	pool := x509.NewCertPool()
	if err == nil && !pool.AppendCertsFromPEM(text) {
		err = errors.New("no certificate in it")
	}
	if err != nil {
		if a.pool != nil {
			a.tell(err)
			return a.pool, nil
		}
		return nil, fmt.Errorf("%s: %w", a.setting, err)
	}
	if a.pool != nil {
		a.tell(nil)
	}
	a.pool, a.changed = pool, now
	return pool, nil
}

// changedAt is when a file was last written; zero where there is none.
func changedAt(file string) time.Time {
	info, err := os.Stat(file)
	if err != nil {
		return time.Time{}
	}
	return info.ModTime()
}
