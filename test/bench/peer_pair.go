package main

import (
	"errors"
	"fmt"
	"net"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strconv"
	"syscall"
	"time"

	"github.com/nats-io/nats-server/v2/server"

	"github.com/pona-realtime/pona/pkg/freeport"
)

// natsRole as first argument makes this program a NATS server: a process of its own, so that its CPU
// and memory can be told apart.
const natsRole = "nats-server"

// natsEnvironment is what docs/operations.md advises for NATS up to some thousand events a second.
var natsEnvironment = []string{"GOMAXPROCS=1", "GODEBUG=schedtrace=2000000000"}

// startPair starts NATS, a fanout and so many edges, and a bot in this process.
func startPair(o options, logs string, edges int) (_ *peer, err error) {
	p := new(peer)
	defer func() {
		if err != nil {
			p.stop()
		}
	}()
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	store, err := os.MkdirTemp(logs, "jetstream-")
	if err != nil {
		return nil, err
	}
	free, err := freeport.TakeN(3 + 2*edges)
	if err != nil {
		return nil, err
	}
	natsAt, grpcAt, fanoutAdmin := free[0], free[1], free[2]

	nats, err := p.run(logs, "nats", natsEnvironment, self, natsRole, port(natsAt), store)
	if err != nil {
		return nil, err
	}
	if err := nats.waitFor(func() bool { return listens(natsAt) }); err != nil {
		return nil, err
	}
	fanout, err := p.run(logs, "fanout", nil, filepath.Join(o.Bin, "fanout"),
		"--grpc", grpcAt, "--admin", fanoutAdmin, "--nats-url", "nats://"+natsAt)
	if err != nil {
		return nil, err
	}
	if err := fanout.waitFor(func() bool { return answers("http://" + fanoutAdmin + "/readyz") }); err != nil {
		return nil, err
	}
	admins := []string{fanoutAdmin}
	for at := range slices.Chunk(free[3:], 2) {
		name := "edge"
		if edges > 1 {
			name = fmt.Sprintf("edge-%c", 'a'+len(p.clients))
		}
		edge, err := p.run(logs, name, nil, filepath.Join(o.Bin, "edge"),
			"--listen", at[0], "--admin", at[1], "--fanout", grpcAt, "--auth", "insecure-dev", "--origins", "*", "--connect-rate", "0")
		if err != nil {
			return nil, err
		}
		if err := edge.waitFor(func() bool { return answers("http://" + at[1] + "/readyz") }); err != nil {
			return nil, err
		}
		p.clients, p.processes, admins = append(p.clients, at[0]), append(p.processes, edge), append(admins, at[1])
	}
	p.processes = append(p.processes, fanout, nats)
	b, err := dialBot(grpcAt)
	if err != nil {
		return nil, err
	}
	p.teardown = append(p.teardown, b.close)
	p.emit = b.emit
	p.mallocs = func() (n uint64) {
		for _, admin := range admins {
			n += mallocs(admin)
		}
		return n
	}
	p.collect = func() error {
		for _, admin := range admins {
			if !answers("http://" + admin + "/debug/pprof/heap?gc=1") {
				return errors.New("the heap profile of edge or fanout has no answer")
			}
		}
		return nil
	}
	return p, nil
}

func port(address string) string {
	_, p, _ := net.SplitHostPort(address)
	return p
}

func listens(address string) bool {
	conn, err := net.DialTimeout("tcp", address, time.Second)
	if err != nil {
		return false
	}
	_ = conn.Close()
	return true
}

// serveNATS runs a NATS server with JetStream on disk until it is told to stop. args are its port
// and, unless it is to be a temporary one, its folder.
func serveNATS(args []string) error {
	if len(args) == 0 {
		return fmt.Errorf("%s: want PORT [FOLDER]", natsRole)
	}
	number, err := strconv.Atoi(args[0])
	if err != nil {
		return err
	}
	if len(args) < 2 {
		folder, err := os.MkdirTemp("", "pona-bench-nats-")
		if err != nil {
			return err
		}
		defer os.RemoveAll(folder)
		args = append(args, folder)
	}
	s, err := server.NewServer(&server.Options{Host: "127.0.0.1", Port: number, JetStream: true, StoreDir: args[1], MaxPayload: 8 << 20, NoSigs: true})
	if err != nil {
		return err
	}
	stop := make(chan os.Signal, 1)
	signal.Notify(stop, os.Interrupt, syscall.SIGTERM)
	go s.Start()
	<-stop
	s.Shutdown()
	s.WaitForShutdown()
	return nil
}
