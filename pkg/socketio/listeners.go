package socketio

import "slices"

// listeners are what a socket's events are given to. The lists are replaced and never changed, so that
// who walks one needs no copy. Guarded by the socket's lock.
type listeners struct {
	middleware []func(*Event) error
	any        []*listener
	named      map[string][]*listener
	outgoing   []*outgoingListener
}

type listener struct {
	f    func(*Event)
	once bool
}

type outgoingListener struct {
	f func(event string, args []any)
}

// On adds a listener for an event; off takes it away again. A client's events are handled one after
// another: a listener that waits holds up its client, and nobody else.
func (s *Socket) On(event string, f func(*Event)) (off func()) {
	return s.listen(event, &listener{f: f})
}

// Once is On for the next such event only.
func (s *Socket) Once(event string, f func(*Event)) (off func()) {
	return s.listen(event, &listener{f: f, once: true})
}

func (s *Socket) listen(event string, l *listener) (off func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.listeners.named == nil {
		s.listeners.named = map[string][]*listener{}
	}
	s.listeners.named[event] = append(slices.Clip(s.listeners.named[event]), l)
	return func() { s.unlisten(event, l) }
}

func (s *Socket) unlisten(event string, l *listener) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if left := without(s.listeners.named[event], l); len(left) > 0 {
		s.listeners.named[event] = left
	} else {
		delete(s.listeners.named, event)
	}
}

// Off takes away all listeners for an event.
func (s *Socket) Off(event string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.listeners.named, event)
}

// OnAny adds a listener for every event; those run before those of On. off takes it away again.
func (s *Socket) OnAny(f func(*Event)) (off func()) {
	l := &listener{f: f}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.listeners.any = append(slices.Clip(s.listeners.any), l)
	return func() { s.unlistenAny(l) }
}

// PrependAny is OnAny, before those that are there.
func (s *Socket) PrependAny(f func(*Event)) (off func()) {
	l := &listener{f: f}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.listeners.any = append([]*listener{l}, s.listeners.any...)
	return func() { s.unlistenAny(l) }
}

func (s *Socket) unlistenAny(l *listener) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.listeners.any = without(s.listeners.any, l)
}

// OffAny takes away all listeners of OnAny and PrependAny.
func (s *Socket) OffAny() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.listeners.any = nil
}

// Use adds middleware for the socket's events: it may rewrite one; an error drops it.
func (s *Socket) Use(f func(*Event) error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.listeners.middleware = append(slices.Clip(s.listeners.middleware), f)
}

// without returns a copy of list that lacks v.
func without[T comparable](list []T, v T) []T {
	return slices.DeleteFunc(slices.Clone(list), func(other T) bool { return other == v })
}

// listens tells whether handle would call anybody.
func (s *Socket) listens(name []byte) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	l := &s.listeners
	return len(l.middleware) > 0 || len(l.any) > 0 || len(l.named[string(name)]) > 0
}

// handle passes an event through the middleware, and then to the listeners for the name it has.
func (s *Socket) handle(e *Event) {
	s.mu.Lock()
	middleware := s.listeners.middleware
	s.mu.Unlock()
	for _, f := range middleware {
		if f(e) != nil {
			return
		}
	}
	s.mu.Lock()
	all, named := s.listeners.any, s.listeners.named[e.Name]
	s.mu.Unlock()
	for _, l := range all {
		l.f(e)
	}
	for _, l := range named {
		if l.once {
			s.unlisten(e.Name, l)
		}
		l.f(e)
	}
}
