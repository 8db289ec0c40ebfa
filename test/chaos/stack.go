package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/pona-realtime/pona/services/devstack/proxy"
)

// size says how large a stack is.
type size struct {
	Edges   int `default:"3" help:"Edges."`
	Fanouts int `default:"3" help:"Fanouts."`
	NATS    int `default:"3" help:"NATS servers; with three, each event is kept three times."`
}

// stack is the whole system as separate processes, with a balancer in front that knows no affinity.
type stack struct {
	folder  string
	nats    []*process
	natsURL string // of all
	redis   *process
	fanouts []*node
	edges   []*node
	wires   []*wire // between the first edge and each fanout

	front   *http.Server
	proxy   *proxy.Proxy
	url     string
	healthy atomic.Pointer[[]string] // base URLs of the edges that are ready
	turn    atomic.Uint64
	group   sync.WaitGroup
}

// node is a service of ours.
type node struct {
	*process
	address string // host:port it serves
	admin   string // host:port
}

// startStack starts everything and returns when all are ready. bin is the folder of our programs.
func startStack(ctx context.Context, bin, folder string, s size) (*stack, error) {
	k := &stack{folder: folder}
	if err := k.start(ctx, bin, s); err != nil {
		k.stop()
		return nil, err
	}
	return k, nil
}

func (k *stack) start(ctx context.Context, bin string, s size) error {
	ports, err := freeAddresses(2*s.NATS + 1 + 2*s.Fanouts + 2*s.Edges)
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
		n := &node{address: next(), admin: next()}
		n.process = &process{name: fmt.Sprintf("fanout-%d", i+1), folder: k.folder, path: filepath.Join(bin, "fanout"), args: []string{
			"--id", fmt.Sprintf("fanout-%d", i+1), "--grpc", n.address, "--admin", n.admin, "--nats-url", k.natsURL,
			"--replicas", fmt.Sprint(s.NATS), "--redis-url", "redis://" + redis}}
		k.fanouts = append(k.fanouts, n)
		grpc = append(grpc, n.address)
	}
	for i := range s.Edges {
		dials := grpc
		if i == 0 {
			if dials, err = k.startWires(grpc); err != nil {
				return err
			}
		}
		n := &node{address: next(), admin: next()}
		n.process = &process{name: fmt.Sprintf("edge-%d", i+1), folder: k.folder, path: filepath.Join(bin, "edge"), args: []string{
			"--id", fmt.Sprintf("edge-%d", i+1), "--listen", n.address, "--admin", n.admin, "--fanout", strings.Join(dials, ","), "--auth", "insecure-dev",
			"--cluster-key", "the secret of all edges of the chaos stack", "--redis-url", "redis://" + redis,
			"--ping-interval", "10s", "--ping-timeout", "5s", "--max-queue", "1MiB"}}
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

// startFront starts the balancer, which asks each edge four times a second whether it is ready.
func (k *stack) startFront(ctx context.Context) error {
	listener, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		return err
	}
	k.url = "http://" + listener.Addr().String()
	k.proxy = proxy.New(slog.New(slog.DiscardHandler))
	k.front = &http.Server{Handler: k.proxy}
	k.healthy.Store(&[]string{})
	k.group.Go(func() { _ = k.front.Serve(listener) })
	k.group.Go(func() {
		tick := time.NewTicker(250 * time.Millisecond)
		defer tick.Stop()
		for ctx.Err() == nil {
			k.probe(ctx)
			select {
			case <-tick.C:
			case <-ctx.Done():
			}
		}
	})
	return nil
}

// probe finds the edges that are ready. When none is, requests go on to whichever was.
func (k *stack) probe(ctx context.Context) {
	var ready []string
	var targets []*url.URL
	for _, e := range k.edges {
		if e.ready(ctx) {
			u := &url.URL{Scheme: "http", Host: e.address}
			ready, targets = append(ready, u.String()), append(targets, u)
		}
	}
	if len(ready) > 0 {
		k.healthy.Store(&ready)
		k.proxy.SetTargets(targets)
	}
}

// target is the base URL of the next edge that is ready, for clients that need no balancer.
func (k *stack) target() string {
	ready := *k.healthy.Load()
	if len(ready) == 0 {
		return k.url
	}
	return ready[(k.turn.Add(1)-1)%uint64(len(ready))]
}

// ready asks a service's readiness.
func (n *node) ready(ctx context.Context) bool {
	ctx, cancel := context.WithTimeout(ctx, 200*time.Millisecond)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+n.admin+"/readyz", nil)
	if err != nil {
		return false
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return false
	}
	_ = response.Body.Close()
	return response.StatusCode == http.StatusOK
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

// freeAddresses finds n loopback addresses nobody listens on.
func freeAddresses(n int) (addresses []string, err error) {
	for range n {
		listener, err := net.Listen("tcp4", "127.0.0.1:0")
		if err != nil {
			return nil, errors.Join(errors.New("find a free port"), err)
		}
		defer listener.Close() // after the last is found, or one could be found twice
		addresses = append(addresses, listener.Addr().String())
	}
	return addresses, nil
}
