package service

import (
	"bytes"
	"context"
	"crypto/tls"
	"log/slog"
	"net"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc/credentials"

	"github.com/pona-realtime/pona/pkg/service/tlstest"
)

// TestCertificatesAreRotated goes the way of docs/security.md while both sides run: the new authority beside the old
// one, the new certificates, the old authority away. What a mistake leaves in a file changes nothing.
func TestCertificatesAreRotated(t *testing.T) {
	before, after := tlstest.NewAuthority(t), tlstest.NewAuthority(t)
	for _, a := range []*tlstest.Authority{before, after} {
		a.Issue("server")
		a.Issue("client")
	}
	folder := t.TempDir()
	at := func(name string) string { return folder + "/" + name }
	put := func(name string, from ...string) {
		t.Helper()
		tlstest.Join(t, at(name), from...)
	}
	certificates := func(of string, a *tlstest.Authority) {
		t.Helper()
		put(of+".pem", a.File(of+".pem"))
		put(of+".key", a.File(of+".key"))
	}
	put("ca.pem", before.File("ca.pem"))
	certificates("server", before)
	certificates("client", before)

	var log bytes.Buffer // the server's, whose handshakes come one by one
	server, err := ServerTLS{TLSCert: at("server.pem"), TLSKey: at("server.key"), TLSClientCA: at("ca.pem")}.Config(slog.New(slog.NewTextHandler(&log, nil)))
	if err != nil {
		t.Fatal(err)
	}
	client, err := ClientTLS{CA: at("ca.pem"), Cert: at("client.pem"), Key: at("client.key")}.Credentials()
	if err != nil {
		t.Fatal(err)
	}
	expect := func(step string, agreed bool) {
		t.Helper()
		if err := shakeHands(t, server, client); (err == nil) != agreed {
			t.Errorf("%s: %v", step, err)
		}
	}
	expect("at first", true)
	put("ca.pem", before.File("ca.pem"), after.File("ca.pem"))
	expect("both authorities", true)
	certificates("server", after)
	expect("the server's new certificate", true)
	certificates("client", after)
	expect("the client's new certificate", true)
	put("ca.pem", after.File("ca.pem"))
	expect("the new authority alone", true)
	certificates("client", before)
	expect("a client of the old authority", false)
	certificates("client", after)
	certificates("server", before)
	expect("a server of the old authority", false)
	certificates("server", after)
	expect("all of the new authority", true)
	put("server.pem", after.File("server.key"))
	put("client.key")
	put("ca.pem")
	expect("files with nothing of use", true)
	if text := log.String(); strings.Count(text, "what it said before holds\" setting=tls-cert") != 1 || strings.Count(text, "what it said before holds\" setting=tls-client-ca") != 1 ||
		!strings.Contains(text, "read again\" setting=tls-cert") || !strings.Contains(text, "read again\" setting=tls-client-ca") {
		t.Error(text)
	}
}

// shakeHands connects a client to a server; the error is either side's.
func shakeHands(t *testing.T, server *tls.Config, client credentials.TransportCredentials) error {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close() //nolint:errcheck // of a test
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	served := make(chan error, 1)
	go func() {
		conn, err := listener.Accept()
		if err == nil {
			defer conn.Close()                                     //nolint:errcheck // likewise
			_ = conn.SetDeadline(time.Now().Add(30 * time.Second)) // of a connection just made
			_, _, err = credentials.NewTLS(server).ServerHandshake(conn)
		}
		served <- err
	}()
	conn, err := net.Dial("tcp", listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close() //nolint:errcheck // likewise
	_, _, err = client.Clone().ClientHandshake(ctx, listener.Addr().String(), conn)
	if of := <-served; of != nil {
		return of
	}
	return err
}
