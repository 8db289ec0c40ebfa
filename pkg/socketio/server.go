package socketio

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"regexp"
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
	// MaxNamespaces bounds the namespaces of one connection; 0 means 100. One more closes it.
	MaxNamespaces int
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
	counters counters

	mu         sync.Mutex
	namespaces map[string]*Namespace
	parents    []*ParentNamespace
	onNew      []func(*Namespace)
}

// ParentNamespace stands for all namespaces whose names match; a child gets its middleware and listeners.
type ParentNamespace struct {
	handlers
	match func(name string, auth json.RawMessage) bool
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
	s := &Server{opts: opts, namespaces: map[string]*Namespace{}}
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

// Close ends all connections and returns when no goroutine of the server is left, or with ctx.
func (s *Server) Close(ctx context.Context) error {
	err := s.engine.Close(ctx)
	if m, ok := s.opts.Recovery.(*MemoryRecovery); ok {
		m.close()
	}
	return err
}

// Of returns the static namespace of that name, made on the first call. "" is "/", "abc" is "/abc".
func (s *Server) Of(name string) *Namespace {
	if !strings.HasPrefix(name, "/") {
		name = "/" + name
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	n := s.namespaces[name]
	if n == nil {
		n = newNamespace(s, name, nil)
		s.namespaces[name] = n
	}
	return n
}

// OfRegexp returns the parent of all namespaces whose names match.
func (s *Server) OfRegexp(re *regexp.Regexp) *ParentNamespace {
	return s.OfFunc(func(name string, _ json.RawMessage) bool { return re.MatchString(name) })
}

// OfFunc returns the parent of all namespaces for which match says so; parents are tried in the
// order in which they were made. match must be quick and safe for concurrent use.
func (s *Server) OfFunc(match func(name string, auth json.RawMessage) bool) *ParentNamespace {
	p := &ParentNamespace{match: match}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.parents = append(s.parents, p)
	return p
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

// enter finds or makes the namespace a client asks for, and holds it until collect.
func (s *Server) enter(name string, auth json.RawMessage) *Namespace {
	s.mu.Lock()
	if n := s.namespaces[name]; n != nil {
		n.pending++
		s.mu.Unlock()
		return n
	}
	var made *Namespace
	for _, p := range s.parents {
		if p.match(name, auth) {
			made = newNamespace(s, name, p)
			made.pending = 1
			s.namespaces[name] = made
			break
		}
	}
	listeners := s.onNew
	s.mu.Unlock()
	if made != nil {
		for _, f := range listeners {
			s.guard(func() { f(made) })
		}
	}
	return made
}

// hold keeps a namespace that somebody holds already, until collect.
func (s *Server) hold(n *Namespace) {
	s.mu.Lock()
	defer s.mu.Unlock()
	n.pending++
}

// collect ends a socket's hold; a dynamic namespace that nobody holds is forgotten.
func (s *Server) collect(n *Namespace) {
	s.mu.Lock()
	defer s.mu.Unlock()
	n.pending--
	if n.pending == 0 && n.parent != nil && s.namespaces[n.name] == n {
		delete(s.namespaces, n.name)
		if n.cluster != nil {
			n.cluster.Leave()
		}
	}
}

// guard runs a handler and says whether it returned; a panic is reported.
func (s *Server) guard(f func()) (ok bool) {
	defer func() {
		if r := recover(); r != nil && s.opts.OnError != nil {
			s.opts.OnError(fmt.Errorf("socketio: a handler panicked: %v", r))
		}
	}()
	f()
	return true
}
