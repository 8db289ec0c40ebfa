package cluster

import (
	"errors"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"testing"
)

// door stands before servers as a balancer does: each new connection goes to one of them.
type door struct {
	address string
	behind  atomic.Pointer[string]

	mu   sync.Mutex
	open []net.Conn
	all  sync.WaitGroup
}

// openDoor closes it, and every connection, when the test ends.
func openDoor(t *testing.T, to string) *door {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	d := &door{address: l.Addr().String()}
	d.lead(to)
	d.all.Go(func() {
		for {
			in, err := l.Accept()
			if err != nil {
				return
			}
			out, err := net.Dial("tcp", *d.behind.Load())
			if err != nil {
				_ = in.Close()
				continue
			}
			d.mu.Lock()
			d.open = append(d.open, in, out)
			d.mu.Unlock()
			d.all.Go(func() { pass(in, out) })
			d.all.Go(func() { pass(out, in) })
		}
	})
	t.Cleanup(func() {
		err := l.Close()
		d.mu.Lock()
		for _, c := range d.open {
			if closing := c.Close(); !errors.Is(closing, net.ErrClosed) {
				err = errors.Join(err, closing)
			}
		}
		d.mu.Unlock()
		d.all.Wait()
		if err != nil {
			t.Error(err)
		}
	})
	return d
}

// cut ends the connections that there are, on both sides.
func (d *door) cut() {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, c := range d.open {
		_ = c.Close() // may be closed already
	}
	d.open = nil
}

// lead sends new connections to another server.
func (d *door) lead(to string) { d.behind.Store(&to) }

func pass(from, to net.Conn) {
	_, _ = io.Copy(to, from) // ends with either
	_ = to.Close()
	_ = from.Close()
}
