// Package fanouttest has the peers that the fanout's tests play against: a real NATS server, bots
// and edges that speak gRPC. Everything ends with its test. Only tests import it.
package fanouttest

import (
	"net"
	"strconv"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"

	"github.com/pona-realtime/pona/pkg/freeport"
)

// Patience is how long a test waits for an event before it fails.
const Patience = 20 * time.Second

// NATS is a server with JetStream on a port of its own.
type NATS struct {
	t       testing.TB
	options server.Options
	server  *server.Server
}

// StartNATS runs a server that keeps its streams for the time of the test, with options changed by change.
func StartNATS(t testing.TB, change ...func(*server.Options)) *NATS {
	t.Helper()
	address, err := freeport.Take() // to come back to
	if err != nil {
		t.Fatal(err)
	}
	n := &NATS{t: t, options: server.Options{
		ServerName: "test", Host: "127.0.0.1",
		JetStream: true, StoreDir: t.TempDir(), MaxPayload: 8 << 20, NoLog: true, NoSigs: true,
	}}
	_, port, _ := net.SplitHostPort(address)
	n.options.Port, _ = strconv.Atoi(port)
	for _, c := range change {
		c(&n.options)
	}
	n.Start()
	t.Cleanup(n.Stop)
	return n
}

// Start runs the server again after Stop, on the same port and with the same streams.
func (n *NATS) Start() {
	n.t.Helper()
	options := n.options
	s, err := server.NewServer(&options)
	if err != nil {
		n.t.Fatal(err)
	}
	s.Start()
	if !s.ReadyForConnections(Patience) {
		n.t.Fatal("NATS does not take connections")
	}
	n.server = s
}

// Stop ends the server and waits for that.
func (n *NATS) Stop() {
	n.server.Shutdown()
	n.server.WaitForShutdown()
}

// URL is where clients connect.
func (n *NATS) URL() string { return n.server.ClientURL() }

// Connect gives a connection that is closed after the test.
func (n *NATS) Connect() *nats.Conn {
	n.t.Helper()
	nc, err := nats.Connect(n.URL())
	if err != nil {
		n.t.Fatal(err)
	}
	n.t.Cleanup(nc.Close)
	return nc
}
