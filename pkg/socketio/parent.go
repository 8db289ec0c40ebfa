package socketio

import (
	"encoding/json"
	"regexp"
	"slices"
)

// ParentNamespace stands for all namespaces whose names match; a child gets its middleware and
// listeners. What it emits goes to every child that lives.
type ParentNamespace struct {
	handlers
	server *Server
	match  func(name string, auth json.RawMessage) bool
	names  *regexp.Regexp // nil where a function decides
}

// OfRegexp returns the parent of all namespaces whose names match.
func (s *Server) OfRegexp(re *regexp.Regexp) *ParentNamespace {
	return s.addParent(&ParentNamespace{names: re, match: func(name string, _ json.RawMessage) bool { return re.MatchString(name) }})
}

// OfFunc returns the parent of all namespaces for which match says so; parents are tried in the
// order in which they were made. match must be quick and safe for concurrent use.
func (s *Server) OfFunc(match func(name string, auth json.RawMessage) bool) *ParentNamespace {
	return s.addParent(&ParentNamespace{match: match})
}

func (s *Server) addParent(p *ParentNamespace) *ParentNamespace {
	p.server = s
	s.mu.Lock()
	defer s.mu.Unlock()
	s.parents = append(s.parents, p)
	return p
}

// parentOf is the first parent whose regular expression matches, or nil: without it a name that the
// application says before a client does would escape the parent's middleware. The lock is held.
func (s *Server) parentOf(name string) *ParentNamespace {
	for _, p := range s.parents {
		if p.names != nil && p.names.MatchString(name) {
			return p
		}
	}
	return nil
}

// Children are the namespaces that live, in no order.
func (p *ParentNamespace) Children() []*Namespace {
	return slices.DeleteFunc(p.server.all(), func(n *Namespace) bool { return n.parent != p })
}

// Emit sends an event to every socket of every child; errors are NewPacket's.
func (p *ParentNamespace) Emit(event string, args ...any) error {
	return Broadcast{parent: p}.Emit(event, args...)
}

// To addresses the sockets in any of the rooms, in every child.
func (p *ParentNamespace) To(rooms ...string) Broadcast { return Broadcast{parent: p}.To(rooms...) }

// In is To.
func (p *ParentNamespace) In(rooms ...string) Broadcast { return p.To(rooms...) }

// Except addresses all sockets of every child but those in any of the rooms.
func (p *ParentNamespace) Except(rooms ...string) Broadcast {
	return Broadcast{parent: p}.Except(rooms...)
}

// Volatile addresses all sockets of every child that can take an event now.
func (p *ParentNamespace) Volatile() Broadcast { return Broadcast{parent: p}.Volatile() }

// parts are the broadcasts that a broadcast consists of, one for each namespace.
func (b Broadcast) parts() []Broadcast {
	if b.parent == nil {
		return []Broadcast{b}
	}
	var parts []Broadcast
	for _, n := range b.parent.Children() {
		part := b
		part.parent, part.nsp = nil, n
		parts = append(parts, part)
	}
	return parts
}
