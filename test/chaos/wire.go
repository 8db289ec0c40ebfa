package main

import (
	"io"
	"net"
	"sync"
)

// wire is a TCP connection point between two processes that can be cut, or made to swallow
// everything without a word, as a network does whose packets vanish.
type wire struct {
	listener net.Listener
	target   string
	group    sync.WaitGroup

	mu    sync.Mutex
	state wireState
	open  map[net.Conn]struct{}
}

type wireState int

const (
	wireWhole  wireState = iota
	wireCut              // connections are closed, new ones too
	wireSilent           // connections stay, nothing passes
)

func newWire(target string) (*wire, error) {
	listener, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	w := &wire{listener: listener, target: target, open: map[net.Conn]struct{}{}}
	w.group.Go(w.accept)
	return w, nil
}

func (w *wire) address() string { return w.listener.Addr().String() }

// set changes the state. Bytes that were swallowed are gone, so what was silent must be cut before
// it is whole again: connections over it would have lost bytes in their midst.
func (w *wire) set(s wireState) {
	w.mu.Lock()
	defer w.mu.Unlock()
	silent := w.state == wireSilent
	w.state = s
	if s == wireCut || silent {
		for c := range w.open {
			_ = c.Close()
		}
	}
}

func (w *wire) silent() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.state == wireSilent
}

func (w *wire) close() {
	_ = w.listener.Close()
	w.set(wireCut)
	w.group.Wait()
}

func (w *wire) accept() {
	for {
		near, err := w.listener.Accept()
		if err != nil {
			return
		}
		w.group.Go(func() { w.carry(near) })
	}
}

// carry passes bytes both ways until one side ends.
func (w *wire) carry(near net.Conn) {
	if !w.keep(near) {
		return
	}
	defer w.drop(near)
	far, err := net.Dial("tcp4", w.target)
	if err != nil || !w.keep(far) {
		return
	}
	defer w.drop(far)
	var both sync.WaitGroup
	for _, way := range [][2]net.Conn{{near, far}, {far, near}} {
		both.Go(func() {
			_, _ = io.Copy(passage{w, way[1]}, way[0])
			_ = near.Close()
			_ = far.Close()
		})
	}
	both.Wait()
}

func (w *wire) keep(c net.Conn) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.state == wireCut {
		_ = c.Close()
		return false
	}
	w.open[c] = struct{}{}
	return true
}

func (w *wire) drop(c net.Conn) {
	_ = c.Close()
	w.mu.Lock()
	defer w.mu.Unlock()
	delete(w.open, c)
}

// passage writes to a connection what may pass.
type passage struct {
	wire *wire
	to   net.Conn
}

func (p passage) Write(b []byte) (int, error) {
	if p.wire.silent() {
		return len(b), nil
	}
	return p.to.Write(b)
}
