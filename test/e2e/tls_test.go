package e2e

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"google.golang.org/grpc"

	"github.com/pona-realtime/pona/pkg/service"
	"github.com/pona-realtime/pona/pkg/service/tlstest"
	playerv1 "github.com/pona-realtime/pona/proto/pona/player/v1"
)

// TestEverybodyOverTLS has the official client speak TLS to edges themselves: over wss at one of them, and polling and upgrading by
// way of a balancer that gives each request to another edge, so that edges relay to each other over TLS. Edges and the bot show
// certificates to the fanout, the bot a token too.
func TestEverybodyOverTLS(t *testing.T) {
	authority := tlstest.NewAuthority(t)
	authority.Issue("edge")
	authority.Issue("fanout")
	cert, key, ca := authority.File("edge.pem"), authority.File("edge.key"), authority.File("ca.pem")
	t.Setenv("NODE_EXTRA_CA_CERTS", ca)
	nats := startNATS(t)
	const token = "of the only bot that there is"
	tokens := filepath.Join(t.TempDir(), "tokens")
	if err := os.WriteFile(tokens, []byte(token+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	fanout := start(t, "fanout", program(t, "fanout"), "--grpc", "127.0.0.1:0", "--admin", "127.0.0.1:0", "--nats-url", nats.URL(),
		"--tls-cert", authority.File("fanout.pem"), "--tls-key", authority.File("fanout.key"), "--tls-client-ca", ca, "--bot-tokens", tokens)
	line, _ := fanout.await(t, 0, "where it listens", fanoutLine.MatchString)
	at := fanoutLine.FindStringSubmatch(line)[1]
	var edges []string
	for i := range 2 {
		edge := start(t, fmt.Sprint("edge ", i), program(t, "edge"), "--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0", "--auth", "insecure-dev",
			"--fanout", at, "--cluster-key", "the secret that both of these edges share", "--tls-cert", cert, "--tls-key", key, "--relay-ca", ca,
			"--fanout-ca", ca, "--fanout-cert", cert, "--fanout-key", key, "--fanout-name", "fanout")
		line, _ := edge.await(t, 0, "where it listens", edgeLine.MatchString)
		edges = append(edges, edgeLine.FindStringSubmatch(line)[1])
	}
	balancer := balance(t, authority, edges)

	guild := newGuild()
	listeners := []*listener{
		listen(t, "https://"+edges[0], guild, "user:1", []string{"websocket"}),
		listen(t, balancer, guild, "user:2", []string{"polling"}),
		listen(t, balancer, guild, "user:3", nil),
	}
	for _, l := range listeners {
		l.payload(t, "handshake")
	}
	listeners[2].await(t, 0, "its upgrade", func(line string) bool { return strings.Contains(line, `"transport","name":"websocket"`) })
	security, err := service.ClientTLS{CA: ca, Cert: cert, Key: key, Name: "fanout"}.Credentials()
	if err != nil {
		t.Fatal(err)
	}
	bot := newBot(t, at, guild, grpc.WithTransportCredentials(security), grpc.WithPerRPCCredentials(bearer(token)))
	for range 10 {
		bot.publish(t, &playerv1.Event{Kind: &playerv1.Event_PauseUpdated{PauseUpdated: &playerv1.PauseUpdated{Paused: true}}})
	}
	for _, l := range listeners {
		for range 10 {
			l.event(t, "pause_updated")
		}
	}
	speaksTLS(t, edges[0], ca)
}

// bearer is a token that a bot shows at each call.
type bearer string

func (b bearer) GetRequestMetadata(context.Context, ...string) (map[string]string, error) {
	return map[string]string{"authorization": "Bearer " + string(b)}, nil
}

func (bearer) RequireTransportSecurity() bool { return true }

// balance gives each request to the next edge.
func balance(t *testing.T, authority *tlstest.Authority, edges []string) string {
	t.Helper()
	pair, err := tls.LoadX509KeyPair(authority.File("edge.pem"), authority.File("edge.key"))
	if err != nil {
		t.Fatal(err)
	}
	transport := &http.Transport{TLSClientConfig: trusting(t, authority.File("ca.pem")), DisableCompression: true}
	var next atomic.Int64
	server := httptest.NewUnstartedServer(&httputil.ReverseProxy{
		Transport: transport, FlushInterval: -1,
		Rewrite: func(p *httputil.ProxyRequest) {
			p.SetURL(&url.URL{Scheme: "https", Host: edges[int(next.Add(1))%len(edges)]})
		},
	})
	server.TLS = &tls.Config{Certificates: []tls.Certificate{pair}}
	server.StartTLS()
	t.Cleanup(func() {
		server.CloseClientConnections()
		server.Close()
		transport.CloseIdleConnections()
	})
	return server.URL
}

func trusting(t *testing.T, ca string) *tls.Config {
	t.Helper()
	text, err := os.ReadFile(ca)
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(text)
	return &tls.Config{RootCAs: pool}
}

// speaksTLS looks at what an edge agrees to: nothing before TLS 1.2, and HTTP/1.1.
func speaksTLS(t *testing.T, edge, ca string) {
	t.Helper()
	config := trusting(t, ca)
	config.NextProtos = []string{"h2", "http/1.1"}
	conn, err := tls.Dial("tcp", edge, config)
	if err != nil {
		t.Fatal(err)
	}
	if state := conn.ConnectionState(); state.NegotiatedProtocol != "http/1.1" || state.Version < tls.VersionTLS12 {
		t.Errorf("protocol %q, version %x", state.NegotiatedProtocol, state.Version)
	}
	conn.Close()
	config.MinVersion, config.MaxVersion = tls.VersionTLS11, tls.VersionTLS11
	if conn, err := tls.Dial("tcp", edge, config); err == nil {
		conn.Close()
		t.Error("agrees to TLS 1.1")
	}
	response, err := http.Get("http://" + edge + "/v1/socket")
	if err != nil {
		t.Fatal(err)
	}
	response.Body.Close()
	if response.StatusCode != http.StatusBadRequest {
		t.Errorf("http is answered with %s", response.Status)
	}
	http.DefaultClient.CloseIdleConnections()
}
