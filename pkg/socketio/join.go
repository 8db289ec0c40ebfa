package socketio

import (
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/pona-realtime/pona/pkg/engineio"
)

// connect begins a client's way into a namespace (§ Connection to a namespace).
func (c *connection) connect(p *decoded) error {
	auth := p.data
	if auth == nil {
		auth = json.RawMessage("{}")
	}
	name, _, _ := strings.Cut(p.nsp, "?")
	nsp := c.server.enter(name, auth)
	if nsp == nil {
		c.server.counters.notFound.Add(1)
		c.session.Send(c.format.plain(typeConnectError, name, []byte(`{"message":"Invalid namespace"}`)))
		return nil
	}
	s := c.newSocket(nsp, auth)
	c.mu.Lock()
	refused := c.ended || c.in(name) != nil || len(c.sockets) >= c.server.opts.MaxNamespaces
	if !refused {
		c.expelled = without(c.expelled, name)
		c.sockets = append(c.sockets, s)
		c.joins.Add(1)
	}
	c.mu.Unlock()
	if refused {
		c.server.collect(nsp)
		return errViolation
	}
	go func() {
		defer c.joins.Done()
		var r *Restored
		c.server.guard(func() { r = c.restore(s) })
		for s != nil {
			s, r = c.admit(s, r), nil
		}
	}()
	return nil
}

func (c *connection) newSocket(nsp *Namespace, auth json.RawMessage) *Socket {
	return &Socket{id: engineio.NewID(), nsp: nsp, conn: c,
		handshake: Handshake{Auth: auth, Issued: time.Now(), request: c.session.Request()}}
}

// admit runs the middleware and, if it agrees, lets the socket in. Where what a returning socket has
// missed is no longer kept it returns another one, to be admitted as new.
func (c *connection) admit(s *Socket, r *Restored) (instead *Socket) {
	defer s.decide()
	if err := c.ask(s); err != nil {
		c.server.counters.notAllowed.Add(1)
		c.refuse(s, err)
		return nil
	}
	if !c.enter(s, r) {
		return c.replace(s)
	}
	c.stopTimeout()
	c.server.observeSocket(s)
	_, listeners := s.nsp.registered()
	if !c.server.guard(func() {
		for _, f := range listeners {
			f(s)
		}
	}) {
		s.Disconnect(false)
	}
	return nil
}

// refuse ends a socket that has not joined, and answers its client if that is still there.
func (c *connection) refuse(s *Socket, err error) {
	waits := s.alive()
	c.forget(s) // before the answer: its client may try again at once
	s.end("")
	if waits {
		c.session.Send(c.format.plain(typeConnectError, s.nsp.name, connectErrorData(err)))
	}
}

// registered are the middleware and connection listeners of a namespace, its parent's first.
func (n *Namespace) registered() (middleware []func(*Socket) error, connection []func(*Socket)) {
	middleware, connection = n.handlers.snapshot()
	if n.parent != nil {
		m, l := n.parent.snapshot()
		middleware, connection = append(m, middleware...), append(l, connection...)
	}
	return middleware, connection
}

// ask runs the middleware.
func (c *connection) ask(s *Socket) error {
	middleware, _ := s.nsp.registered()
	err := errors.New("internal server error") // a middleware that panics refuses
	c.server.guard(func() {
		for _, f := range middleware {
			if refused := f(s); refused != nil {
				err = refused
				return
			}
		}
		err = nil
	})
	return err
}

// enter lets an accepted socket into its namespace; false when its client is gone, or it cannot be
// given what it missed.
func (c *connection) enter(s *Socket, r *Restored) (entered bool) {
	c.server.guard(func() {
		switch {
		case r == nil && c.server.opts.Recovery == nil:
			entered = s.nsp.enter(s, "", nil, nil)
		case r == nil:
			entered = s.nsp.enter(s, c.server.opts.Recovery.Ticket(s), nil, nil)
		case r.missed != nil:
			entered = s.nsp.enter(s, s.pid, r.Rooms, r.missed)
		default:
			r.Replay(s, func(missed ...*Packet) {
				entered = s.nsp.enter(s, s.pid, r.Rooms, func(*Socket) ([]*Packet, bool) { return missed, true })
			})
		}
	})
	return entered
}

// replace puts a new socket in the place of one that has come back and could not be given what it
// missed; nil if that is not why it could not enter.
func (c *connection) replace(s *Socket) *Socket {
	if !s.recovered {
		c.refuse(s, errors.New("internal server error")) // the Recovery has panicked
		return nil
	}
	c.server.counters.missedTooMuch.Add(1)
	fresh := c.newSocket(s.nsp, s.handshake.Auth)
	c.server.hold(s.nsp)
	c.mu.Lock()
	i := slices.Index(c.sockets, s)
	if i >= 0 {
		c.sockets[i] = fresh
	}
	c.mu.Unlock()
	s.end("")
	if i < 0 { // the client is gone
		c.server.collect(s.nsp)
		return nil
	}
	return fresh
}

// connected is the answer to CONNECT.
func connected(s *Socket) *engineio.Frame {
	answer, _ := json.Marshal(struct { // strings always have a JSON form
		SID string `json:"sid"`
		PID string `json:"pid,omitempty"`
	}{s.id, s.pid})
	return s.conn.format.plain(typeConnect, s.nsp.name, answer)
}

func connectErrorData(err error) []byte {
	refusal := &ConnectError{Message: err.Error()}
	errors.As(err, &refusal)
	data, err := json.Marshal(struct {
		Message string `json:"message"`
		Data    any    `json:"data,omitempty"`
	}{refusal.Message, refusal.Data})
	if err != nil {
		return []byte(`{"message":"internal server error"}`)
	}
	return data
}
