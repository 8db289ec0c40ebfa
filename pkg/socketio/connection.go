package socketio

import (
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/pona-realtime/pona/pkg/engineio"
)

// connection is one client: an Engine.IO session and its sockets. It is the session's Receiver, and hears of its upgrade.
type connection struct {
	server  *Server
	session *engineio.Session
	format  format
	partial incomplete

	mu       sync.Mutex
	timeout  *time.Timer // ConnectTimeout's; nil once a socket has joined
	sockets  []*Socket   // at most one a namespace, joining ones too
	expelled []string    // namespaces that the server has ended, until the client joins them anew
	ended    bool
	joins    sync.WaitGroup
}

func (s *Server) open(session *engineio.Session) engineio.Receiver {
	c := &connection{server: s, session: session, format: formatOf(session.Request())}
	c.timeout = time.AfterFunc(s.opts.ConnectTimeout, session.Close)
	return c
}

// ReceiveMessage takes a packet or an attachment. What breaks the protocol ends the connection.
func (c *connection) ReceiveMessage(m engineio.Message) {
	if err := c.receive(m); err != nil {
		c.session.Close()
	}
}

var errViolation = errors.New("socketio: protocol violation")

func (c *connection) receive(m engineio.Message) error {
	p, complete, err := c.decode(m)
	if err != nil || !complete {
		return err
	}
	if p.kind == typeConnect {
		p.keep()
		m.Parsed()
		return c.connect(&p)
	}
	c.mu.Lock()
	s, expelled := c.in(p.nsp), slices.Contains(c.expelled, p.nsp)
	c.mu.Unlock()
	if s == nil {
		if expelled || p.kind == typeDisconnect || p.kind == typeAck || p.kind == typeBinaryAck {
			return nil // crossed with our own disconnect
		}
		return errViolation
	}
	if !s.decided.Load() {
		m.Parsed()
	}
	if !s.awaitDecision() {
		return nil
	}
	switch p.kind {
	case typeEvent, typeBinaryEvent:
		return c.event(s, &p, m)
	case typeAck, typeBinaryAck:
		return c.acknowledged(s, &p)
	case typeDisconnect:
		c.forget(s)
		s.end(reasonClientDisconnect)
		return nil
	}
	return errViolation
}

// decode takes a message and returns its packet; incomplete where attachments are still to come.
func (c *connection) decode(m engineio.Message) (p decoded, complete bool, err error) {
	switch {
	case c.format == formatMessagePack && m.Binary:
		p, err = decodeMessagePack(m.Data)
		return p, true, err
	case c.format == formatMessagePack, m.Binary != (c.partial.packet != nil):
		return p, false, errViolation
	case !m.Binary && len(m.Data) == 0: // the reference's parser is never given one: to its engine that is no text
		return p, false, errViolation
	case m.Binary:
		return c.attach(m.Data)
	}
	p, err = decode(m.Data)
	if err == nil && p.missing > 0 {
		p.keep()
		c.await(p, len(m.Data))
	}
	return p, p.missing == 0, err
}

func (c *connection) event(s *Socket, p *decoded, m engineio.Message) error {
	if p.data == nil {
		return nil // an event without a name: nobody listens to it
	}
	name, err := p.eventName()
	if err != nil || len(p.attachments) == 0 && !s.listens(name) {
		return err
	}
	p.keep()
	e := &Event{Name: string(name), Socket: s, id: p.id, hasID: p.hasID}
	args, err := p.list(e.few[:0])
	if err != nil {
		return err
	}
	e.Args = args[1:]
	m.Parsed()
	ok := c.server.guard(func() { s.handle(e) })
	if !ok {
		s.Disconnect(false)
	}
	return nil
}

func (c *connection) acknowledged(s *Socket, p *decoded) error {
	if !p.hasID {
		return nil
	}
	p.keep()
	args, err := p.list(nil)
	if err != nil {
		return err
	}
	s.mu.Lock()
	waiting := s.acks[p.id]
	delete(s.acks, p.id)
	s.mu.Unlock()
	if waiting != nil {
		waiting <- args
	}
	return nil
}

func (c *connection) stopTimeout() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.timeout != nil {
		c.timeout.Stop()
		c.timeout = nil
	}
}

// forget takes a socket out of the connection.
func (c *connection) forget(s *Socket) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if i := slices.Index(c.sockets, s); i >= 0 {
		c.sockets = slices.Delete(c.sockets, i, i+1)
	}
}

// expel is forget for a socket that the server disconnects: what its client sends before it hears of
// that is no violation, as it is to the reference. Past MaxNamespaces the oldest are forgotten.
func (c *connection) expel(s *Socket) {
	c.mu.Lock()
	defer c.mu.Unlock()
	i := slices.Index(c.sockets, s)
	if i < 0 {
		return
	}
	c.sockets = slices.Delete(c.sockets, i, i+1)
	if c.expelled = append(c.expelled, s.nsp.name); len(c.expelled) > c.server.opts.MaxNamespaces {
		c.expelled = slices.Delete(c.expelled, 0, 1)
	}
}

// in is the socket in a namespace, or nil. The lock is held.
func (c *connection) in(nsp string) *Socket {
	for _, s := range c.sockets {
		if s.nsp.name == nsp {
			return s
		}
	}
	return nil
}

func (c *connection) takeAll() []*Socket {
	c.mu.Lock()
	defer c.mu.Unlock()
	all := c.sockets
	c.sockets = nil
	return all
}

// disconnectAll says goodbye in each namespace and closes the connection.
func (c *connection) disconnectAll() {
	for _, s := range c.takeAll() {
		s.dismiss()
	}
	c.session.Close()
}

// ReceiveUpgrade tells those who watch the server of each socket.
func (c *connection) ReceiveUpgrade() {
	if len(c.server.observers.upgrade) == 0 {
		return
	}
	c.mu.Lock()
	sockets := slices.Clone(c.sockets)
	c.mu.Unlock()
	for _, s := range sockets {
		if s.Connected() {
			c.server.observeUpgrade(s)
		}
	}
}

// ReceiveClose ends all sockets, and waits for joins under way: their context has ended.
func (c *connection) ReceiveClose(reason engineio.Reason, _ error) {
	c.stopTimeout()
	c.mu.Lock()
	c.ended = true
	if c.partial.clock != nil {
		c.partial.clock.Stop()
	}
	c.mu.Unlock()
	for _, s := range c.takeAll() {
		s.end(string(reason))
	}
	c.joins.Wait()
}
