package socketio

import (
	"encoding/json"
	"maps"
	"slices"
	"time"
)

// enter finds or makes the namespace a client asks for, and holds it until collect; nil: there is none.
func (s *Server) enter(name string, auth json.RawMessage) *Namespace {
	s.mu.Lock()
	n, parents := s.namespaces[name], s.parents
	if n != nil {
		n.pending++
	}
	s.mu.Unlock()
	if n != nil {
		s.counters.countFound(n)
		return n
	}
	for _, p := range parents {
		matches := false
		s.guard(func() { matches = p.match(name, auth) })
		if matches {
			return s.child(p, name)
		}
	}
	return nil
}

// child makes a parent's namespace, unless somebody has been quicker.
func (s *Server) child(p *ParentNamespace, name string) *Namespace {
	s.mu.Lock()
	if n := s.namespaces[name]; n != nil {
		n.pending++
		s.mu.Unlock()
		s.counters.countFound(n)
		return n
	}
	made := newNamespace(s, name, p)
	made.pending = 1
	s.counters.made.Add(1)
	s.namespaces[name] = made
	s.mu.Unlock()
	s.announce(made)
	return made
}

// announce tells of a namespace that a parent made.
func (s *Server) announce(n *Namespace) {
	s.mu.Lock()
	listeners := s.onNew
	s.mu.Unlock()
	for _, f := range listeners {
		s.guard(func() { f(n) })
	}
}

// Namespaces are those that live, in no order.
func (s *Server) Namespaces() []*Namespace { return s.all() }

func (s *Server) all() []*Namespace {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Collect(maps.Values(s.namespaces))
}

// hold keeps a namespace that somebody holds already, until collect.
func (s *Server) hold(n *Namespace) {
	s.mu.Lock()
	defer s.mu.Unlock()
	n.pending++
}

// collect ends a hold. A namespace that is not kept and that nobody holds is forgotten, at once or
// after NamespaceLinger.
func (s *Server) collect(n *Namespace) {
	s.mu.Lock()
	defer s.mu.Unlock()
	n.pending--
	switch {
	case n.pending > 0 || n.kept || s.namespaces[n.name] != n:
	case s.opts.NamespaceLinger <= 0 || s.closed:
		s.drop(n)
	default:
		n.emptySince = time.Now()
		if n.linger == nil {
			n.linger = time.AfterFunc(s.opts.NamespaceLinger, func() { s.forget(n) })
		} else {
			n.linger.Reset(s.opts.NamespaceLinger)
		}
	}
}

// forget ends a namespace that has lingered, unless it has been entered since.
func (s *Server) forget(n *Namespace) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if n.pending == 0 && !n.kept && s.namespaces[n.name] == n && time.Since(n.emptySince) >= s.opts.NamespaceLinger {
		s.drop(n)
	}
}

// forgetAll ends all namespaces that linger; from now on none does.
func (s *Server) forgetAll() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
	for _, n := range s.namespaces {
		if n.linger != nil {
			n.linger.Stop()
		}
		if !n.kept && n.pending == 0 {
			s.drop(n)
		}
	}
}

// drop is the end of a namespace. The lock is held.
func (s *Server) drop(n *Namespace) {
	delete(s.namespaces, n.name)
	if n.cluster != nil {
		n.cluster.Leave()
	}
}
