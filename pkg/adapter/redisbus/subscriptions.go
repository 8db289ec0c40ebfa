package redisbus

import (
	"context"
	"errors"
	"maps"
	"slices"
	"sync"

	"github.com/redis/go-redis/v9"
)

// subscriptions are the channels that are wanted, and where each has been subscribed to. A keeper brings
// to Redis what changes here; readers report what Redis has confirmed.
type subscriptions struct {
	bus  *Bus
	wake chan struct{} // has an element while the keeper has something to do

	mu       sync.RWMutex
	channels map[string]*subscription
	most     int              // channels there have been since the map was made
	pending  []string         // names whose state is to be brought to Redis
	conns    map[string]*conn // by the address of the node
	lost     error            // why Redis cannot be reached now; nil while it can
	outage   chan struct{}    // closed while lost is set
	trouble  error            // Redis refused a subscription; for the keeper
}

// subscription is one channel. It is forgotten when nobody wants it and Redis has ended it: until then
// messages that come are handled, for Redis still counts the subscriber.
type subscription struct {
	users     []*line // replaced, never changed: readers hold it
	unwanted  bool    // by its last user
	conn      *conn   // where it was subscribed to; nil: nowhere
	confirmed bool
	ending    bool          // Redis has been told to
	again     bool          // had been confirmed when its connection was lost
	queued    bool          // stands in pending
	ready     chan struct{} // closed when confirmed; nil while nobody waits
}

func newSubscriptions(b *Bus) *subscriptions {
	return &subscriptions{bus: b, wake: make(chan struct{}, 1), channels: map[string]*subscription{},
		conns: map[string]*conn{}, outage: make(chan struct{})}
}

// want adds a user to channels.
func (s *subscriptions) want(l *line, names ...string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, name := range names {
		c := s.channels[name]
		if c == nil {
			c = &subscription{}
			s.channels[name] = c
			s.most = max(s.most, len(s.channels))
		}
		switch {
		case c.unwanted:
			c.users, c.unwanted = []*line{l}, false
		case !slices.Contains(c.users, l):
			c.users = append(slices.Clip(c.users), l)
		}
		s.enqueue(name, c)
	}
}

// forget takes a user from channels.
func (s *subscriptions) forget(l *line, names ...string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, name := range names {
		c := s.channels[name]
		if c == nil || !slices.Contains(c.users, l) {
			continue
		}
		if len(c.users) == 1 {
			c.unwanted = true
			s.enqueue(name, c)
			continue
		}
		c.users = slices.DeleteFunc(slices.Clone(c.users), func(u *line) bool { return u == l })
	}
}

// drop forgets a channel. The lock is held.
func (s *subscriptions) drop(name string, c *subscription) {
	delete(s.channels, name)
	if c.ready != nil {
		close(c.ready)
	}
	if len(s.channels) < s.most/4 { // a map keeps room for all it ever had
		fewer := make(map[string]*subscription, len(s.channels))
		maps.Copy(fewer, s.channels)
		s.channels, s.most = fewer, len(fewer)
	}
}

// enqueue lets the keeper look at a channel. The lock is held.
func (s *subscriptions) enqueue(name string, c *subscription) {
	if !c.queued {
		c.queued = true
		s.pending = append(s.pending, name)
	}
	s.nudge()
}

func (s *subscriptions) nudge() {
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// users are the lines that a message on a channel is for.
func (s *subscriptions) users(name string) []*line {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if c := s.channels[name]; c != nil {
		return c.users
	}
	return nil
}

func (s *subscriptions) names() []string {
	s.mu.RLock()
	defer s.mu.RUnlock()
	names := make([]string, 0, len(s.channels))
	for name, c := range s.channels {
		if !c.unwanted {
			names = append(names, name)
		}
	}
	return names
}

func (s *subscriptions) state() (channels int, lost error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return len(s.channels), s.lost
}

// await waits until channels are confirmed. It fails at once while Redis cannot be reached.
func (s *subscriptions) await(ctx context.Context, names ...string) error {
	for _, name := range names {
		for {
			ready, outage, err := s.awaited(name)
			if ready == nil || err != nil {
				if err != nil {
					return err
				}
				break
			}
			select {
			case <-ready:
			case <-outage:
			case <-ctx.Done():
				return unreachable(ctx.Err())
			}
		}
	}
	return nil
}

// awaited returns what to wait for; a nil ready means that the channel is confirmed, or given up.
func (s *subscriptions) awaited(name string) (ready, outage chan struct{}, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	c := s.channels[name]
	switch {
	case c == nil || c.confirmed && !c.ending: // one that Redis has been told to end is subscribed to again
		return nil, nil, nil
	case s.lost != nil:
		return nil, nil, unreachable(s.lost)
	case c.ready == nil:
		c.ready = make(chan struct{})
	}
	return c.ready, s.outage, nil
}

// confirm notes that Redis has subscribed a connection to a channel. It may be late: the channel was asked for together with
// one that was refused, and has been given up since, or gone elsewhere. Redis counts a subscriber all the same.
func (s *subscriptions) confirm(on *conn, name string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.answered(on)
	delete(on.unconfirmed, name)
	c := s.channels[name]
	switch {
	case s.conns[on.address] != on:
		return // has gone, with what it was subscribed to
	case c == nil || c.conn != nil && c.conn != on:
		on.stray = append(on.stray, name)
		s.nudge()
		return
	}
	if c.conn == on && isRefusal(s.lost) {
		s.reachable()
	}
	c.conn, c.confirmed = on, true
	if c.again {
		c.again = false
		s.bus.counters.resubscribed.Add(1)
	}
	if c.ready != nil {
		close(c.ready)
		c.ready = nil
	}
}

// answered notes that one answer fewer is awaited. The lock is held.
func (s *subscriptions) answered(on *conn) {
	if on.unanswered == 0 {
		return // was under way when another was refused
	}
	if on.unanswered--; on.unanswered == window/2 {
		s.nudge()
	}
}

// remove notes that Redis has ended a subscription. Where that was not asked for, the slot of the channel
// has gone to another node.
func (s *subscriptions) remove(on *conn, name string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	c := s.channels[name]
	if c == nil || c.conn != on {
		return
	}
	if c.ending {
		s.answered(on)
	}
	if c.ending || c.confirmed {
		s.misplaced(name, c)
	}
}

// refuse notes that Redis has refused a subscription on a connection, most likely because the slot of
// its channel is elsewhere. Redis does not say which, and has one answer for all that it was asked for at once: all
// without answer are tried again, and none is awaited any more.
func (s *subscriptions) refuse(on *conn, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	on.unanswered = 0
	s.trouble = err
	for name := range on.unconfirmed {
		s.misplaced(name, s.channels[name])
	}
	s.nudge()
}

// misplaced lets a channel be subscribed to anew, or be forgotten. The lock is held.
func (s *subscriptions) misplaced(name string, c *subscription) {
	if c.conn != nil {
		delete(c.conn.unconfirmed, name)
	}
	c.again = c.again || c.confirmed && !c.ending
	c.conn, c.confirmed, c.ending = nil, false, false
	s.enqueue(name, c)
}

// lose notes that a connection is gone, with all that it was subscribed to: an outage, unless that is nothing.
func (s *subscriptions) lose(gone *conn, err error) {
	_ = gone.pubsub.Close()
	s.bus.master.CompareAndSwap(gone.node, nil)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.conns[gone.address] != gone {
		return // known
	}
	delete(s.conns, gone.address)
	s.bus.counters.lost.Add(1)
	for name, c := range s.channels {
		if c.conn == gone {
			s.unreachable(err)
			s.misplaced(name, c)
		}
	}
	s.nudge()
}

// unreachable begins an outage. The lock is held.
func (s *subscriptions) unreachable(err error) {
	if s.lost == nil {
		s.bus.opts.Log.Warn("no subscriptions at Redis, rooms end at this server, trying again", "error", err)
		close(s.outage)
	}
	s.lost = err
}

// isRefusal tells what Redis has said from what keeps it from saying anything.
func isRefusal(err error) bool {
	var refusal redis.Error
	return errors.As(err, &refusal)
}

// reachable ends an outage. The lock is held.
func (s *subscriptions) reachable() {
	if s.lost != nil {
		s.lost = nil
		s.outage = make(chan struct{})
		s.bus.opts.Log.Info("connected to Redis, subscribing to rooms again", "channels", len(s.channels))
	}
}
