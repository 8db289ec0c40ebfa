package redisbus

import (
	"context"
	"time"

	"github.com/redis/go-redis/v9"
)

const (
	dialTimeout = 2 * time.Second
	// lifetime of a connection from which nothing is heard, not even the answer to a ping
	lifetime = 2*pulse + time.Second
)

// conn is a connection for subscriptions to one node of Redis.
type conn struct {
	node    *redis.Client
	address string
	pubsub  *redis.PubSub

	// Guarded by subscriptions.mu.
	unanswered  int                 // subscriptions begun and ended without an answer yet
	unconfirmed map[string]struct{} // channels that it has been asked for, at most window
	stray       []string            // that Redis has confirmed to nobody's use any more
}

// ended makes a PubSub read from and write to the connection it has, and never dial by itself: it would
// then subscribe to everything with one command, however many answers that means.
var ended = func() context.Context {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	return ctx
}()

// connect returns the connection to a node; the first time it dials, and starts a reader.
func (s *subscriptions) connect(ctx context.Context, node *redis.Client) (*conn, error) {
	address := node.Options().Addr
	s.mu.RLock()
	on := s.conns[address]
	s.mu.RUnlock()
	if on != nil {
		return on, nil
	}
	ctx, cancel := context.WithTimeout(ctx, dialTimeout)
	defer cancel()
	on = &conn{node: node, address: address, pubsub: node.Subscribe(ctx), unconfirmed: map[string]struct{}{}}
	if err := on.pubsub.Ping(ctx); err != nil { // dials
		_ = on.pubsub.Close()
		return nil, err
	}
	s.mu.Lock()
	s.conns[address] = on
	s.reachable()
	s.mu.Unlock()
	s.bus.running.Go(func() { s.read(on) })
	return on, nil
}

// read takes what comes on a connection until it breaks.
func (s *subscriptions) read(on *conn) {
	for {
		received, err := on.pubsub.ReceiveTimeout(ended, lifetime)
		switch {
		case isRefusal(err):
			s.refuse(on, err)
			continue
		case err != nil:
			s.lose(on, err)
			return
		}
		switch received := received.(type) {
		case *redis.Message:
			s.bus.receive(received.Channel, received.Payload)
		case *redis.Subscription:
			switch received.Kind {
			case "subscribe", "ssubscribe":
				s.confirm(on, received.Channel)
			case "unsubscribe", "sunsubscribe":
				s.remove(on, received.Channel)
			}
		}
	}
}

// ping keeps connections alive, lets readers notice those that are not, and leaves those to who is no home any more, until ctx
// ends. The keeper may be waiting for a node that hangs.
func (s *subscriptions) ping(ctx context.Context) {
	tick := time.NewTicker(pulse)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		for _, on := range s.connections() {
			err := on.pubsub.Ping(ended)
			if err == nil && s.bus.steppedDown(ctx, on.node) {
				err = errSteppedDown
			}
			if err != nil {
				s.lose(on, err)
			}
		}
	}
}

// hangUp ends every connection; their readers return.
func (s *subscriptions) hangUp() {
	all := s.connections()
	s.mu.Lock()
	clear(s.conns) // so that nobody takes it for an outage
	s.mu.Unlock()
	for _, on := range all {
		_ = on.pubsub.Close()
	}
}

func (s *subscriptions) connections() []*conn {
	s.mu.RLock()
	defer s.mu.RUnlock()
	all := make([]*conn, 0, len(s.conns))
	for _, on := range s.conns {
		all = append(all, on)
	}
	return all
}
