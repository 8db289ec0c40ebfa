package relay

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"slices"
	"sync/atomic"
	"time"

	"golang.org/x/time/rate"

	"github.com/pona-realtime/pona/pkg/quietnet"
)

const (
	dialTimeout    = 2 * time.Second
	upgradeTimeout = 10 * time.Second // from the client's request to the owner's answer
	stallTimeout   = time.Minute      // while either end takes nothing of what comes for it
	lingerTimeout  = 15 * time.Second // for the last words of one end after those of the other
)

// tunnel is a WebSocket on its way between a client and the edge that has its session. It is there for as long as
// the client stays, so while nothing passes through it, it holds two small goroutines and no buffers.
type tunnel struct {
	relay         *Relay
	client, owner net.Conn
	ended         atomic.Int32 // directions
}

// begin notes the tunnel, which must not be carried yet.
func (t *tunnel) begin() {
	r := t.relay
	r.relayed.Add(2)
	r.measured.tunnels.Inc()
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.tunnels[t] = struct{}{}; r.closed {
		t.cut()
	}
}

// end forgets it.
func (t *tunnel) end() {
	t.cut()
	r := t.relay
	r.measured.tunnels.Dec()
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.tunnels, t)
}

// Len is the number of WebSockets that are carried to other edges.
func (r *Relay) Len() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.tunnels)
}

// Drain ends the WebSockets that are carried to other edges, so many a second and in no order, until none of those
// that are there at its call is left, or ctx ends. Their clients come back, on whichever edge. It returns how many
// it has ended.
func (r *Relay) Drain(ctx context.Context, perSecond float64) (moved int) {
	r.mu.Lock()
	tunnels := slices.Collect(maps.Keys(r.tunnels))
	r.mu.Unlock()
	pace := rate.NewLimiter(rate.Limit(perSecond), 1)
	for _, t := range tunnels {
		if pace.Wait(ctx) != nil {
			return moved
		}
		if t.ended.Load() == 0 {
			moved++
		}
		t.cut()
	}
	return moved
}

// tunnel asks the owner to accept a WebSocket, and carries it if it does.
func (r *Relay) tunnel(w http.ResponseWriter, request *http.Request, owner string) {
	conn, fromOwner, response, err := r.askOwner(request, owner)
	if err != nil {
		r.unreachable(w, request, err)
		return
	}
	if response.StatusCode != http.StatusSwitchingProtocols {
		for name, values := range response.Header {
			w.Header()[name] = values
		}
		w.WriteHeader(response.StatusCode)
		_ = conn.SetReadDeadline(time.Now().Add(r.lingerTimeout))
		_, _ = io.Copy(w, response.Body) // who is refused and gone misses nothing
		_ = conn.Close()
		return
	}
	client, buffered, err := http.NewResponseController(w).Hijack()
	if err != nil {
		_ = conn.Close()
		r.unreachable(w, request, err)
		return
	}
	var head bytes.Buffer
	_, _ = fmt.Fprintf(&head, "HTTP/1.1 %s\r\n", response.Status)
	_ = response.Header.Write(&head) // a Buffer takes everything
	head.WriteString("\r\n")
	t := &tunnel{relay: r, client: quietnet.Quiet(client), owner: conn}
	t.begin()
	go t.carry(t.client, t.owner, append(head.Bytes(), held(fromOwner)...))
	go t.carry(t.owner, t.client, held(buffered.Reader))
}

// askOwner sends the owner a request for a WebSocket, and reads the head of the answer.
func (r *Relay) askOwner(request *http.Request, owner string) (conn net.Conn, in *bufio.Reader, response *http.Response, err error) {
	ctx, cancel := context.WithTimeout(request.Context(), upgradeTimeout)
	defer cancel()
	scheme, host := locate(owner)
	if conn, err = r.dial(ctx, scheme, host); err != nil {
		return nil, nil, nil, err
	}
	abort := context.AfterFunc(ctx, func() { _ = conn.Close() })
	out := request.Clone(ctx)
	if out.UserAgent() == "" {
		out.Header.Set("User-Agent", "") // or Write has one of its own
	}
	r.provide(out, request.URL.Query().Get("sid"), request.RemoteAddr)
	if err = out.Write(conn); err == nil {
		in = bufio.NewReader(conn)
		response, err = http.ReadResponse(in, out)
	}
	if !abort() && err == nil {
		err = ctx.Err()
	}
	if err != nil {
		_ = conn.Close()
	}
	return conn, in, response, err
}

// dial connects to another edge.
func (r *Relay) dial(ctx context.Context, scheme, host string) (net.Conn, error) {
	dialer := net.Dialer{Timeout: dialTimeout}
	if scheme != "https" {
		return quietnet.Dialer{Dialer: dialer}.DialContext(ctx, "tcp", host)
	}
	secure := tls.Dialer{NetDialer: &dialer} // HTTP/1.1, which upgrades need
	if r.options.TLS != nil {
		secure.Config = r.options.TLS()
	}
	return secure.DialContext(ctx, "tcp", host)
}

// held is what a reader has read ahead.
func held(r *bufio.Reader) []byte {
	ahead, _ := r.Peek(r.Buffered()) // it is there
	return bytes.Clone(ahead)
}

// carry hands on what comes from one end, after what is there already, until that end has said its last.
func (t *tunnel) carry(to, from net.Conn, first []byte) {
	defer t.relay.relayed.Done()
	patient := &patient{Conn: to, timeout: t.relay.stallTimeout}
	_, err := patient.Write(first)
	if err == nil {
		err = copyAll(patient, from)
	}
	if err == nil {
		if half, is := to.(interface{ CloseWrite() error }); is {
			_ = half.CloseWrite()
		}
		_ = to.SetReadDeadline(time.Now().Add(t.relay.lingerTimeout))
	}
	switch both := t.ended.Add(1) == 2; {
	case both:
		t.end()
	case err != nil:
		t.cut()
	}
}

// cut ends both directions.
func (t *tunnel) cut() {
	_ = t.client.Close()
	_ = t.owner.Close()
}

// copyAll copies until the end. A connection that is quiet needs no buffer while it waits; others do with a small one.
func copyAll(to io.Writer, from net.Conn) (err error) {
	if quiet, is := from.(io.WriterTo); is {
		_, err = quiet.WriteTo(to)
	} else {
		_, err = io.CopyBuffer(to, struct{ io.Reader }{from}, make([]byte, 4<<10))
	}
	return err
}

// patient gives up an end that takes nothing for its timeout, or half of it.
type patient struct {
	net.Conn
	timeout time.Duration
	set     time.Time // when the deadline was
}

func (p *patient) Write(b []byte) (int, error) {
	if now := time.Now(); now.Sub(p.set) > p.timeout/2 {
		p.set = now
		_ = p.SetWriteDeadline(now.Add(p.timeout))
	}
	return p.Conn.Write(b)
}
