package socketio

import (
	"cmp"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/pona-realtime/pona/pkg/adapter"
	"github.com/pona-realtime/pona/pkg/engineio"
)

// Options tunes a Server; the zero value behaves like the reference server.
type Options struct {
	// Engine tunes the transports. Its Path is "/socket.io/" here where it is empty.
	Engine engineio.Options
	// ConnectTimeout closes a connection that has joined no namespace; 0 means 45s.
	ConnectTimeout time.Duration
	// MaxPacket bounds a packet's text and attachments together, in bytes; 0 means twice Engine.MaxPayload,
	// which bounds each of them. A larger one, or one that is not complete within a ping's time
	// (Engine.PingInterval and PingTimeout), closes the connection.
	MaxPacket int64
	// MaxNamespaces bounds the namespaces of one connection; 0 means 100. One more closes it.
	MaxNamespaces int
	// NamespaceLinger is how long a namespace that a parent made outlives its last socket; 0 means not
	// at all. Its middleware and listeners are then made again for the next socket.
	NamespaceLinger time.Duration
	// Recovery lets clients come back after a lost connection with nothing lost; nil means they join
	// anew. A MemoryRecovery serves one server.
	Recovery Recovery
	// Cluster joins the server to others: what is not Local reaches the sockets of all of them. Nil means
	// it is alone. The node belongs to the caller, who closes it after the server.
	Cluster *adapter.Node
	// HideCredentials keeps the payload of CONNECT and the headers Authorization and Cookie from the
	// other nodes, which are told the rest of a handshake.
	HideCredentials bool
	// OnError hears of panics in handlers; nil means nobody does. The client of that handler is
	// disconnected, and nothing else happens.
	OnError func(error)
}

// Server is an http.Handler for one path.
type Server struct {
	engine   *engineio.Server
	opts     Options
	patience time.Duration // with an incomplete packet
	counters counters

	mu         sync.Mutex
	namespaces map[string]*Namespace
	parents    []*ParentNamespace
	onNew      []func(*Namespace)
	observers  observers
	closed     bool
}

// ConnectError refuses a socket with data beside the message.
type ConnectError struct {
	Message string
	Data    any // nil: none
}

func (e *ConnectError) Error() string { return e.Message }

// NewServer returns a server with the namespace "/".
func NewServer(opts Options) *Server {
	if opts.Engine.Path == "" {
		opts.Engine.Path = "/socket.io/"
	}
	if opts.ConnectTimeout == 0 {
		opts.ConnectTimeout = 45 * time.Second
	}
	if opts.MaxNamespaces == 0 {
		opts.MaxNamespaces = 100
	}
	if opts.MaxPacket == 0 {
		opts.MaxPacket = 2 * cmp.Or(opts.Engine.MaxPayload, 1e6)
	}
	s := &Server{opts: opts, namespaces: map[string]*Namespace{}}
	s.patience = cmp.Or(opts.Engine.PingInterval, 25*time.Second) + cmp.Or(opts.Engine.PingTimeout, 20*time.Second)
	if m, ok := opts.Recovery.(*MemoryRecovery); ok {
		m.attach(s)
	}
	s.Of("/")
	s.engine = engineio.NewServer(opts.Engine, s.open)
	return s
}

// ServeHTTP serves the path of Options.Engine.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) { s.engine.ServeHTTP(w, r) }

// Len is the number of connections.
func (s *Server) Len() int { return s.engine.Len() }

// Of returns the namespace of that name, made on the first call; it is never collected. Where OfRegexp's
// parents were there before it, it is the child of the first that matches. "" is "/", "abc" is "/abc".
func (s *Server) Of(name string) *Namespace {
	if !strings.HasPrefix(name, "/") {
		name = "/" + name
	}
	s.mu.Lock()
	n := s.namespaces[name]
	made := n == nil
	if made {
		n = newNamespace(s, name, s.parentOf(name))
		s.namespaces[name] = n
	}
	n.kept = true
	s.mu.Unlock()
	if made && n.parent != nil {
		s.announce(n)
	}
	return n
}

// OnNewNamespace adds a listener for namespaces that a parent made.
func (s *Server) OnNewNamespace(f func(*Namespace)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.onNew = append(s.onNew, f)
}

// Lookup returns a namespace that lives, or nil.
func (s *Server) Lookup(name string) *Namespace {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.namespaces[name]
}

// guard runs a handler and says whether it returned; a panic is reported.
func (s *Server) guard(f func()) (ok bool) {
	defer func() {
		if r := recover(); r != nil {
			s.report(fmt.Errorf("socketio: a handler panicked: %v", r))
		}
	}()
	f()
	return true
}

func (s *Server) report(err error) {
	if s.opts.OnError != nil {
		s.opts.OnError(err)
	}
}
