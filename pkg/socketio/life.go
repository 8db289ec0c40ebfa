package socketio

import "context"

// Most sockets are never asked for their context, and few clients send before they are in: context
// and channel are made for whoever asks.

// Context ends when the socket is disconnected or its CONNECT refused.
func (s *Socket) Context() context.Context {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ctx == nil {
		s.ctx, s.cancel = context.WithCancel(context.Background())
		if s.out.Load() {
			s.cancel()
		}
	}
	return s.ctx
}

// Connected tells whether the socket is in its namespace: it has joined, and has not been disconnected.
func (s *Socket) Connected() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.joined && s.alive()
}

// alive tells whether the socket is neither disconnected nor refused.
func (s *Socket) alive() bool { return !s.out.Load() }

// disconnected ends the socket's context. Nothing is sent any more.
func (s *Socket) disconnected() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.out.Store(true)
	if s.cancel != nil {
		s.cancel()
	}
}

// awaitDecision waits until the socket is in, and its connection listeners have returned, or is not
// to be; then it is false.
func (s *Socket) awaitDecision() bool {
	if s.decided.Load() {
		return s.alive()
	}
	s.mu.Lock()
	if s.waiting == nil && !s.decided.Load() {
		s.waiting = make(chan struct{})
	}
	waiting := s.waiting
	s.mu.Unlock()
	if waiting != nil {
		select {
		case <-waiting:
		case <-s.Context().Done():
		}
	}
	return s.alive()
}

// decide ends that wait.
func (s *Socket) decide() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.decided.Store(true)
	if s.waiting != nil {
		close(s.waiting)
		s.waiting = nil
	}
}
