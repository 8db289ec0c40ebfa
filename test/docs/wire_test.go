package docs

import (
	"net"
	"sync"
	"testing"
)

// Less than what they take on a wire, and more than what HTTP/2 says beside them; bytes.
const (
	publication = 64 // of one event
	order       = 82 // one command
)

// loss is what a wire loses.
type loss int

const (
	nothing loss = iota
	requests
	answers // from the first publication on
)

// wire carries a bot's connections to a fanout. It can lose what they carry, and cut them; the next connection is
// carried again.
type wire struct {
	address  string
	fanout   string
	listener net.Listener
	running  sync.WaitGroup

	mu     sync.Mutex
	ends   map[net.Conn]struct{}
	loses  loss
	sent   int           // bytes from the bot since loses was set
	orders int           // bytes to the bot that are waited for
	enough chan struct{} // closed when they have come, and something was published
}

func newWire(t *testing.T, fanout string) *wire {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	w := &wire{address: listener.Addr().String(), fanout: fanout, listener: listener, ends: make(map[net.Conn]struct{})}
	w.running.Go(w.accept)
	t.Cleanup(func() {
		_ = listener.Close()
		w.cut()
		w.running.Wait()
	})
	return w
}

func (w *wire) accept() {
	for {
		bot, err := w.listener.Accept()
		if err != nil { // closed
			return
		}
		fanout, err := net.Dial("tcp", w.fanout)
		if err != nil {
			_ = bot.Close()
			continue
		}
		w.mu.Lock()
		w.ends[bot], w.ends[fanout] = struct{}{}, struct{}{}
		w.mu.Unlock()
		w.running.Go(func() { w.carry(bot, fanout, true) })
		w.running.Go(func() { w.carry(fanout, bot, false) })
	}
}

// carry ends both connections when one has ended.
func (w *wire) carry(from, to net.Conn, fromBot bool) {
	defer w.end(from)
	defer w.end(to)
	buffer := make([]byte, 32<<10)
	for {
		n, err := from.Read(buffer)
		if n > 0 && w.passes(fromBot, n) {
			if _, err := to.Write(buffer[:n]); err != nil {
				return
			}
		}
		if err != nil {
			return
		}
	}
}

func (w *wire) end(conn net.Conn) {
	w.mu.Lock()
	defer w.mu.Unlock()
	_ = conn.Close()
	delete(w.ends, conn)
}

// passes tells whether so many bytes are carried on, or lost.
func (w *wire) passes(fromBot bool, n int) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.loses == nothing {
		return true
	}
	if fromBot {
		w.sent += n
	} else {
		w.orders -= n
	}
	if w.enough != nil && w.sent >= publication && w.orders <= 0 {
		close(w.enough)
		w.enough = nil
	}
	if w.loses == requests {
		return !fromBot
	}
	return fromBot || w.sent < publication
}

// lose loses from now on. The channel is closed when so many commands have come to the bot, and something was published.
func (w *wire) lose(what loss, commands int) (enough <-chan struct{}) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.loses, w.sent, w.orders, w.enough = what, 0, commands*order, make(chan struct{})
	return w.enough
}

// cut ends all connections; nothing is lost on those that follow.
func (w *wire) cut() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.loses = nothing
	for conn := range w.ends {
		_ = conn.Close()
	}
}
