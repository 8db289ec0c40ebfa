package redisbus

import (
	"context"
	"slices"
	"time"

	"github.com/cenkalti/backoff/v5"
	"github.com/redis/go-redis/v9"
)

const (
	// window bounds the subscriptions, begun and ended, under way on one connection. Redis answers each, and
	// cuts a subscriber for which it keeps more than 32 MB: a hundred thousand at once would come near it.
	window = 4096
	// pulse is the time between two pings on a connection: a Redis that hangs is given up, with what it was
	// subscribed to, in the time that a failover from it takes, or little more.
	pulse = 1500 * time.Millisecond
)

// keep brings to Redis what is wanted, until ctx ends. It alone opens connections.
func (s *subscriptions) keep(ctx context.Context) {
	defer s.hangUp()
	retry := backoff.NewExponentialBackOff()
	retry.InitialInterval, retry.MaxInterval = 50*time.Millisecond, time.Second
	failed := false
	var pause <-chan time.Time // after a failure
	for {
		wake := s.wake
		if pause != nil {
			wake = nil
		}
		select {
		case <-ctx.Done():
			return
		case <-pause:
			pause = nil
		case <-wake:
		}
		if _, lost := s.state(); failed || lost != nil { // slots and masters may have moved
			s.bus.reload(ctx)
		}
		err := s.settle(ctx)
		if err == nil {
			err = s.probe(ctx)
		}
		failed = err != nil
		if _, lost := s.state(); !failed && lost == nil { // what Redis was asked for, it may yet refuse
			retry.Reset()
		}
		if failed && ctx.Err() == nil {
			if _, moved := redis.IsMovedError(err); !moved { // where to is known at once
				s.blame(err)
			}
			pause = time.After(retry.NextBackOff())
		}
	}
}

// settle works through what is pending, as far as the connections' windows allow; readers wake the keeper
// for the rest.
func (s *subscriptions) settle(ctx context.Context) error {
	for before := -1; before != 0; {
		left := s.backlog()
		if left == before {
			return nil
		}
		before = left
		names, unwanted, err := s.take()
		for on, names := range unwanted {
			s.unsubscribe(on, names)
		}
		if err != nil {
			s.putBack(names)
			return err
		}
		groups, err := s.group(ctx, names)
		for node, names := range groups { // one that cannot be reached does not keep others from theirs
			if failed := s.subscribe(ctx, node, names); failed != nil {
				err = failed
			}
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// probe ends an outage when everything that was lost has found another place, or has been given up: no connection that is dialled
// tells then that Redis is back.
func (s *subscriptions) probe(ctx context.Context) error {
	if !s.placed() {
		return nil
	}
	node, err := s.bus.subscribeAt(ctx, "")
	if err == nil {
		_, err = s.connect(ctx, node)
	}
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.reachable()
	return nil
}

// placed tells that an outage has nothing left to bring to Redis, nor to hear of after a refusal.
func (s *subscriptions) placed() bool {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if s.lost == nil || len(s.pending) > 0 {
		return false
	}
	for _, on := range s.conns {
		if isRefusal(s.lost) && len(on.unconfirmed) > 0 {
			return false
		}
	}
	return true
}

// backlog is how many names are pending.
func (s *subscriptions) backlog() int {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return len(s.pending)
}

// take cuts a piece off what is pending: names to subscribe to, and those that nobody wants any more. The
// error is one that a reader has met.
func (s *subscriptions) take() (names []string, unwanted map[*conn][]string, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := min(len(s.pending), window)
	unwanted = map[*conn][]string{}
	var later []string
	for _, name := range s.pending[:n] {
		c := s.channels[name]
		c.queued = false
		switch {
		case c.conn != nil && c.unwanted && !c.ending && c.conn.unanswered >= window:
			c.queued, later = true, append(later, name)
		case c.conn == nil && !c.unwanted:
			names = append(names, name)
		case c.conn == nil:
			s.drop(name, c)
		case c.unwanted && !c.ending:
			c.ending = true
			c.conn.unanswered++
			unwanted[c.conn] = append(unwanted[c.conn], name)
		}
	}
	for _, on := range s.conns {
		if len(on.stray) > 0 {
			unwanted[on], on.stray = append(unwanted[on], on.stray...), nil
		}
	}
	s.pending = append(s.pending[n:], later...)
	if len(s.pending) == 0 {
		s.pending = nil
	}
	err, s.trouble = s.trouble, nil
	return names, unwanted, err
}

// putBack lets names be taken again.
func (s *subscriptions) putBack(names []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, name := range names {
		if c := s.channels[name]; c != nil && !c.queued {
			c.queued = true
			s.pending = append(s.pending, name)
		}
	}
}

// group says on which node of Redis each channel is to be subscribed to.
func (s *subscriptions) group(ctx context.Context, names []string) (groups map[*redis.Client][]string, err error) {
	groups = map[*redis.Client][]string{}
	for i, name := range names {
		node, err := s.bus.subscribeAt(ctx, name)
		if err != nil {
			s.putBack(names[i:])
			return groups, err
		}
		groups[node] = append(groups[node], name)
	}
	return groups, nil
}

// subscribe sends as many names as the connection's window allows, and puts the rest back.
func (s *subscriptions) subscribe(ctx context.Context, node *redis.Client, names []string) error {
	on, err := s.connect(ctx, node)
	if err != nil {
		s.bus.master.CompareAndSwap(node, nil)
		s.putBack(names)
		return err
	}
	names, rest := s.assign(on, names)
	s.putBack(rest)
	for some := range slices.Chunk(names, s.batch()) {
		if err := s.bus.wire.subscribe(ended, on.pubsub, some...); err != nil {
			s.lose(on, err)
			return err
		}
	}
	return nil
}

// batch bounds the channels of one command.
func (s *subscriptions) batch() int {
	if s.bus.cluster != nil && s.bus.wire.sharded() {
		return 1 // they must be of one slot
	}
	return 512
}

// assign notes which names are about to be subscribed to on a connection: none, where it has just been lost.
func (s *subscriptions) assign(on *conn, names []string) (assigned, rest []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.conns[on.address] != on {
		return nil, names
	}
	n := min(len(names), max(window-on.unanswered, 0))
	for _, name := range names[:n] {
		if c := s.channels[name]; c != nil && c.conn == nil && !c.unwanted {
			c.conn = on
			on.unconfirmed[name] = struct{}{}
			assigned = append(assigned, name)
		}
	}
	on.unanswered += len(assigned)
	return assigned, names[n:]
}

func (s *subscriptions) unsubscribe(on *conn, names []string) {
	for some := range slices.Chunk(names, s.batch()) {
		if err := s.bus.wire.unsubscribe(ended, on.pubsub, some...); err != nil {
			s.lose(on, err)
			return
		}
	}
}

// blame begins an outage.
func (s *subscriptions) blame(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.unreachable(err)
}
