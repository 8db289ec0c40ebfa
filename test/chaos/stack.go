package main

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/pona-realtime/pona/pkg/freeport"
	"github.com/pona-realtime/pona/services/devstack/proxy"
)

// size says how large a stack is.
type size struct {
	Edges   int `default:"3" help:"Edges."`
	Fanouts int `default:"3" help:"Fanouts."`
	NATS    int `default:"3" help:"NATS servers; with three, each event is kept three times."`

	ConnectRate int `default:"500" help:"Sessions that may begin on an edge in a second."`
}

// stack is the whole system as separate processes, with a balancer in front that knows no affinity.
type stack struct {
	folder  string
	size    size
	nats    []*process
	natsURL string // of all
	redis   *process
	fanouts []*node
	edges   []*node
	wires   []*wire // between the first edge and each fanout

	front *http.Server
	proxy *proxy.Proxy
	url   string
	group sync.WaitGroup
}

// node is a service of ours.
type node struct {
	*process
	server
}

// startStack starts everything and returns when all are ready. bin is the folder of our programs.
func startStack(ctx context.Context, bin, folder string, s size) (*stack, error) {
	k := &stack{folder: folder, size: s}
	if err := k.start(ctx, bin, s); err != nil {
		k.stop()
		return nil, err
	}
	return k, nil
}

func (k *stack) start(ctx context.Context, bin string, s size) error {
	ports, err := freeport.TakeN(2*s.NATS + 1 + 2*s.Fanouts + 2*s.Edges)
	if err != nil {
		return err
	}
	next := func() string {
		address := ports[0]
		ports = ports[1:]
		return address
	}
	if err := k.startNATS(bin, s.NATS, next); err != nil {
		return err
	}
	redis := next()
	_, port, _ := net.SplitHostPort(redis)
	k.redis = &process{name: "redis", folder: k.folder, path: "redis-server", args: []string{"--bind", "127.0.0.1", "--port", port, "--save", "", "--dir", k.folder}}
	if err := k.redis.start(); err != nil {
		return err
	}
	var grpc []string
	for i := range s.Fanouts {
		n := &node{server: server{Address: next(), Admin: next()}}
		n.process = &process{name: fmt.Sprintf("fanout-%d", i+1), folder: k.folder, path: filepath.Join(bin, "fanout"), args: []string{
			"--id", fmt.Sprintf("fanout-%d", i+1), "--grpc", n.Address, "--admin", n.Admin, "--nats-url", k.natsURL,
			"--replicas", fmt.Sprint(s.NATS), "--redis-url", "redis://" + redis}}
		k.fanouts = append(k.fanouts, n)
		grpc = append(grpc, n.Address)
	}
	for i := range s.Edges {
		dials := grpc
		if i == 0 {
			if dials, err = k.startWires(grpc); err != nil {
				return err
			}
		}
		n := &node{server: server{Address: next(), Admin: next()}}
		n.process = &process{name: fmt.Sprintf("edge-%d", i+1), folder: k.folder, path: filepath.Join(bin, "edge"), args: []string{
			"--id", fmt.Sprintf("edge-%d", i+1), "--listen", n.Address, "--admin", n.Admin, "--fanout", strings.Join(dials, ","), "--auth", "insecure-dev",
			"--cluster-key", "the secret of all edges of the chaos stack", "--redis-url", "redis://" + redis,
			"--ping-interval", "10s", "--ping-timeout", "5s", "--max-queue", "1MiB", "--connect-rate", fmt.Sprint(s.ConnectRate)}}
		k.edges = append(k.edges, n)
	}
	for _, n := range append(append([]*node{}, k.fanouts...), k.edges...) {
		if err := n.start(); err != nil {
			return err
		}
	}
	if err := k.startFront(ctx); err != nil {
		return err
	}
	return k.ready(ctx)
}

// startWires puts a wire before each fanout, for one edge.
func (k *stack) startWires(targets []string) (addresses []string, err error) {
	for _, target := range targets {
		w, err := newWire(target)
		if err != nil {
			return nil, err
		}
		k.wires = append(k.wires, w)
		addresses = append(addresses, w.address())
	}
	return addresses, nil
}

// startFront starts the balancer that the official clients connect through.
func (k *stack) startFront(ctx context.Context) error {
	listener, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		return err
	}
	k.url = "http://" + listener.Addr().String()
	k.proxy = proxy.New(slog.New(slog.DiscardHandler))
	k.front = &http.Server{Handler: k.proxy}
	b := &balancer{edges: k.edgeServers(), changed: func(ready []string) {
		var targets []*url.URL
		for _, base := range ready {
			if u, err := url.Parse(base); err == nil { // as always: it was made of an address
				targets = append(targets, u)
			}
		}
		k.proxy.SetTargets(targets)
	}}
	k.group.Go(func() { _ = k.front.Serve(listener) })
	k.group.Go(func() { b.run(ctx) })
	return nil
}

// edgeServers says where the edges listen.
func (k *stack) edgeServers() (all []server) {
	for _, e := range k.edges {
		all = append(all, e.server)
	}
	return all
}

// ready waits until every service is ready; a minute at most.
func (k *stack) ready(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	for _, n := range append(append([]*node{}, k.fanouts...), k.edges...) {
		if err := n.await(ctx); err != nil {
			return err
		}
	}
	return nil
}

func (n *node) await(ctx context.Context) error {
	for !n.ready(ctx) {
		if n.gone() {
			return fmt.Errorf("%s has ended: %s", n.name, n.lastWords())
		}
		select {
		case <-time.After(50 * time.Millisecond):
		case <-ctx.Done():
			return fmt.Errorf("%s is not ready: %s", n.name, n.lastWords())
		}
	}
	return nil
}

// stop ends everything that was started, services first.
func (k *stack) stop() {
	for _, n := range append(append([]*node{}, k.edges...), k.fanouts...) {
		if n.cmd != nil {
			n.kill()
		}
	}
	for _, p := range append([]*process{k.redis}, k.nats...) {
		if p != nil && p.cmd != nil {
			p.kill()
		}
	}
	for _, w := range k.wires {
		w.close()
	}
	if k.front != nil {
		_ = k.front.Close()
		k.proxy.Wait()
	}
	k.group.Wait()
}
