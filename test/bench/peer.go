package main

import (
	"errors"
	"path/filepath"
	"slices"
	"time"

	"github.com/pona-realtime/pona/pkg/freeport"
)

// peer is a running server, or the running programs that together are one.
type peer struct {
	clients   []string         // addresses that clients connect to, in turn
	processes []*process       // measured; the first holds the clients' connections
	emit      func(plan) error // returns when all is emitted
	collect   func() error     // frees what is garbage, where that can be asked for
	mallocs   func() uint64    // objects allocated so far; 0 where unknown
	teardown  []func()         // in the order of their making
}

// kinds are the peers, in the order in which they take turns.
var kinds = []string{"node", "library", "pair", "node-2", "pair-2"}

func startPeer(o options, logs, kind string) (*peer, error) {
	switch kind {
	case "node":
		return startNode(o, logs)
	case "library":
		return startLibrary(o, logs)
	case "node-2":
		return startNodes(o, logs)
	case "pair-2":
		return startPair(o, logs, 2)
	default:
		return startPair(o, logs, 1)
	}
}

// stop ends everything the peer started, the last first.
func (p *peer) stop() {
	for _, f := range slices.Backward(p.teardown) {
		f()
	}
}

// run starts a process of the peer.
func (p *peer) run(logs, name string, env []string, program string, args ...string) (*process, error) {
	proc, err := start(logs, name, env, program, args...)
	if err == nil {
		p.teardown = append(p.teardown, proc.stop)
	}
	return proc, err
}

// usage is what a peer's processes have used up to now.
type usage struct {
	cpu      []time.Duration // of each process
	user     time.Duration   // of all
	resident []int64         // bytes of each
	mallocs  uint64
}

func (p *peer) usage() (usage, error) {
	var u usage
	for _, proc := range p.processes {
		cpu, err1 := proc.cpu()
		user, err2 := proc.userCPU()
		resident, err3 := proc.resident()
		if err := errors.Join(err1, err2, err3); err != nil {
			return u, err
		}
		u.cpu, u.resident = append(u.cpu, cpu), append(u.resident, resident)
		u.user += user
	}
	u.mallocs = p.mallocs()
	return u, nil
}

// startNode starts npm's socket.io.
func startNode(o options, logs string) (*peer, error) {
	return startControlled(logs, "node", nil, "node", "--expose-gc", filepath.Join(o.Node, "server.js"))
}

// startNodes starts two of them with a Redis between.
func startNodes(o options, logs string) (_ *peer, err error) {
	p := &peer{mallocs: func() uint64 { return 0 }}
	defer func() {
		if err != nil {
			p.stop()
		}
	}()
	free, err := freeport.TakeN(1)
	if err != nil {
		return nil, err
	}
	redis, err := p.run(logs, "redis", nil, "redis-server", "--port", port(free[0]), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no")
	if err != nil {
		return nil, err
	}
	if err := redis.waitFor(func() bool { return listens(free[0]) }); err != nil {
		return nil, err
	}
	for _, name := range []string{"node-a", "node-b"} {
		node, err := startControlled(logs, name, []string{"REDIS=redis://" + free[0]}, "node", "--expose-gc", filepath.Join(o.Node, "server.js"))
		if err != nil {
			return nil, err
		}
		p.teardown = append(p.teardown, node.stop)
		p.clients, p.processes = append(p.clients, node.clients...), append(p.processes, node.processes...)
		if p.emit == nil { // the first emits, and the other hears of it
			p.emit = node.emit
		}
	}
	p.processes = append(p.processes, redis)
	return p, nil
}

// startLibrary starts pkg/socketio without Pona around it.
func startLibrary(o options, logs string) (*peer, error) {
	return startControlled(logs, "library", []string{"SUITE=bench"}, filepath.Join(o.Bin, "conformance-server"))
}

// startControlled starts a server with a control port.
func startControlled(logs, name string, env []string, program string, args ...string) (*peer, error) {
	free, err := freeport.TakeN(2)
	if err != nil {
		return nil, err
	}
	clients, control := free[0], free[1]
	p := &peer{
		clients: []string{clients},
		emit:    func(pl plan) error { return postPlan(control, pl) },
		collect: func() error { return post(control, "/gc", nil) },
		mallocs: func() uint64 { return mallocs(control) },
	}
	env = append(env, "PORT="+port(clients), "CTRL_PORT="+port(control))
	proc, err := p.run(logs, name, env, program, args...)
	if err != nil {
		return nil, err
	}
	p.processes = []*process{proc}
	if err := proc.waitFor(func() bool { return answers("http://" + clients + "/socket.io/?EIO=4&transport=polling") }); err != nil {
		p.stop()
		return nil, err
	}
	return p, nil
}
