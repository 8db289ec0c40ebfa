// Package client is a Socket.IO client of which a load generator has thousands: Engine.IO v4
// (github.com/socketio/engine.io-protocol, revision 4) over WebSocket or HTTP long-polling, Socket.IO v5
// (github.com/socketio/socket.io-protocol, revision 5), the default parser, text packets. The attachments
// of binary events are counted and otherwise left alone. Sizes are bytes.
//
// A client costs one goroutine, its reader, and small buffers. It does nothing by itself but answer
// pings: who wants it to come back dials again.
package client

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"net/url"
	"strconv"
	"sync"
	"sync/atomic"
	"time"
)

// Transport is how a client connects.
type Transport string

// The transports of Engine.IO that a client may start with, and the way of a stock client: it starts with
// polling and upgrades.
const (
	WebSocket Transport = "websocket"
	Polling   Transport = "polling"
	Upgrade   Transport = "upgrade"
)

// Options are one client's. URL, Transport and Patience are required.
type Options struct {
	URL       *url.URL      // http or https; no path means /socket.io/
	Transport Transport     //
	Header    http.Header   // of every request
	Compress  bool          // offer permessage-deflate, and gzip to polling
	TLS       *tls.Config   // nil: the default one
	Source    netip.Addr    // local address; the zero value: the system's choice
	Patience  time.Duration // for each answer, and for silence beyond the server's pings
	Traffic   *Traffic      // counts what comes and goes; nil: nothing does
	// Event takes an event's JSON array [name, arguments…]; it is called by the reader, and the text is its
	// only during the call. nil: nobody listens.
	Event func(namespace string, text []byte)
	// End is told, by the reader, why the client has ended: ErrClosed where that was Close or Cut.
	End func(error)
}

// Client is one connection. Its methods may be called by any goroutine.
type Client struct {
	options   Options
	transport transport
	sid       string
	silence   time.Duration // after which the server is believed gone
	stall     atomic.Int64  // see Stall
	pings     atomic.Int64
	ctx       context.Context // ends with Cut
	cut       context.CancelFunc

	mu       sync.Mutex
	joining  map[string]chan joined
	asked    map[uint64]chan struct{}
	lastAsk  uint64
	resuming map[string]*resumption // namespaces of which a pid has come
	err      error                  // why it has ended
	done     chan struct{}          // closed then, and the reader has returned
}

// transport carries Engine.IO packets. One goroutine reads, any may write.
type transport interface {
	read(silence time.Duration) (packets [][]byte, err error)
	write(packet string) error
	abort() // without farewell; ends a read
}

// ErrClosed is how a client ends that was closed from here.
var ErrClosed = errors.New("closed by the client")

// Dial opens a session. The time that took is from the first SYN to Engine.IO's handshake, an upgrade included.
func Dial(ctx context.Context, options Options) (*Client, error) {
	c := &Client{
		options: options, joining: map[string]chan joined{}, asked: map[uint64]chan struct{}{},
		resuming: map[string]*resumption{}, done: make(chan struct{}),
	}
	c.ctx, c.cut = context.WithCancel(context.Background()) // the session outlives the dial
	ctx, cancel := context.WithTimeout(ctx, options.Patience)
	defer cancel()
	var first []byte
	var err error
	switch options.Transport {
	case WebSocket:
		c.transport, first, err = dialWebSocket(ctx, options, "")
	default:
		c.transport, first, err = dialPolling(ctx, options)
	}
	if err != nil {
		return nil, err
	}
	if err := c.opened(first); err != nil {
		c.transport.abort()
		return nil, err
	}
	if options.Transport == Upgrade {
		upgraded, err := upgrade(ctx, options, c.sid)
		c.transport.abort() // polls no more
		if err != nil {
			return nil, err
		}
		c.transport = upgraded
	}
	go c.readAll()
	return c, nil
}

// opened takes Engine.IO's open packet (§ Handshake).
func (c *Client) opened(packet []byte) error {
	var open struct {
		SID                       string
		PingInterval, PingTimeout int64 // milliseconds
	}
	if len(packet) == 0 || packet[0] != '0' || json.Unmarshal(packet[1:], &open) != nil || open.SID == "" {
		return fmt.Errorf("no Engine.IO 4 handshake: %.100q", packet)
	}
	if c.sid = open.SID; c.options.Transport != WebSocket {
		if p, ok := c.transport.(*polling); ok {
			p.sid = open.SID
		}
	}
	c.silence = time.Duration(open.PingInterval+open.PingTimeout)*time.Millisecond + c.options.Patience
	return nil
}

// readAll is the reader.
func (c *Client) readAll() {
	var err error
	for err == nil {
		if d := c.stall.Swap(0); d > 0 {
			c.rest(time.Duration(d))
		}
		var packets [][]byte
		packets, err = c.transport.read(c.silence)
		for _, p := range packets {
			if e := c.packet(p); err == nil {
				err = e
			}
		}
	}
	c.end(err)
	c.cut()
	c.transport.abort()
	if c.options.End != nil {
		c.options.End(c.err)
	}
	close(c.done)
}

// rest waits, but not beyond Cut.
func (c *Client) rest(d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-c.ctx.Done():
	}
}

// end keeps the first reason for which the client ends.
func (c *Client) end(err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.err == nil {
		c.err = err
	}
}

// Stall has the reader rest before it reads on, as on a bad network.
func (c *Client) Stall(d time.Duration) { c.stall.Store(int64(d)) }

// Pings is how many of the server's pings it has answered.
func (c *Client) Pings() int64 { return c.pings.Load() }

// Done is closed when the client has ended.
func (c *Client) Done() <-chan struct{} { return c.done }

// Err is why the client has ended; nil before.
func (c *Client) Err() error {
	select {
	case <-c.done:
		c.mu.Lock()
		defer c.mu.Unlock()
		return c.err
	default:
		return nil
	}
}

// Close ends the session as a page does that is closed: politely where that costs no waiting.
func (c *Client) Close() {
	c.end(ErrClosed)
	if c.options.Transport != Polling {
		_ = c.transport.write("41")
		_ = c.transport.write("1")
	}
	c.Cut()
}

// Cut drops the connection without a word, as a network does.
func (c *Client) Cut() {
	c.end(ErrClosed)
	c.cut()
	c.transport.abort()
	<-c.done
}

// Emit emits an event; args are JSON values.
func (c *Client) Emit(namespace, event string, args ...string) error {
	return c.transport.write("42" + prefix(namespace) + list(event, args))
}

// Ask emits an event and waits until the server acknowledges it.
func (c *Client) Ask(ctx context.Context, namespace, event string, args ...string) error {
	answered := make(chan struct{})
	c.mu.Lock()
	c.lastAsk++
	id := c.lastAsk
	c.asked[id] = answered
	c.mu.Unlock()
	err := c.transport.write("42" + prefix(namespace) + strconv.FormatUint(id, 10) + list(event, args))
	if err == nil {
		_, err = await(ctx, c, answered, "acknowledgement of "+event)
	}
	c.mu.Lock()
	delete(c.asked, id)
	c.mu.Unlock()
	return err
}

// await waits for an answer, the client's end, ctx or the client's patience.
func await[T any](ctx context.Context, c *Client, answer <-chan T, what string) (got T, err error) {
	timer := time.NewTimer(c.options.Patience)
	defer timer.Stop()
	select {
	case got = <-answer:
		return got, nil
	case <-c.done:
		return got, c.Err()
	case <-timer.C:
		return got, fmt.Errorf("no %s within %s", what, c.options.Patience)
	case <-ctx.Done():
		return got, ctx.Err()
	}
}
