package redisbus

import (
	"context"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/pona-realtime/pona/pkg/adapter"
)

const (
	publishQueue = 16384                  // messages
	publishBatch = 512                    // messages of one pipeline
	publishPause = 250 * time.Millisecond // after a failure, in which all but answers is refused
	// publishTimeout is what a pipeline has: one that a Redis which hangs has got is given up in the time of a failover.
	publishTimeout = 2 * pulse
)

// publisher sends what is published in the order of the calls. In a Redis Cluster each master has a lane of sharded messages for
// itself: one that hangs holds up its own.
type publisher struct {
	bus      *Bus
	bytes    atomic.Int64     // in all queues
	first    *lane            // takes everything; in a Redis Cluster with sharded messages it only sorts
	lanes    map[string]*lane // by the address of the master; only sort looks
	refusing atomic.Int64     // lanes whose last batch Redis has refused
}

// lane is what waits for one node of Redis. A pipeline takes what has gathered while the one before was under way.
type lane struct {
	of       *publisher
	queue    chan letter
	failedAt atomic.Int64 // when a pipeline last did, nanoseconds since 1970
	refused  bool         // the last batch, by Redis; only run looks
}

type letter struct {
	channel string
	payload []byte
	answer  bool        // is tried although the lane has just failed
	done    func(error) // hears whether Redis has taken it, as far as is known; nil: nobody waits for it
}

// once is a command that is sent to another node where Redis says so, but never again to one that may have taken it.
type once struct{ *redis.IntCmd }

// NoRetry is go-redis' own question.
func (once) NoRetry() bool { return true }

func newPublisher(b *Bus) *publisher {
	p := &publisher{bus: b, lanes: map[string]*lane{}}
	p.first = p.newLane()
	return p
}

func (p *publisher) newLane() *lane { return &lane{of: p, queue: make(chan letter, publishQueue)} }

// sorts tells whether each master has a lane of its own.
func (p *publisher) sorts() bool { return p.bus.cluster != nil && p.bus.wire.sharded() }

// refuses tells whether Redis has just failed to take something, and counts what is not even tried.
func (p *publisher) refuses() bool {
	if !p.first.failing() {
		return false
	}
	p.bus.counters.refused.Add(1)
	return true
}

// publish never waits.
func (p *publisher) publish(l letter) error {
	size := int64(len(l.payload))
	if size > p.bus.opts.MaxMessage {
		p.bus.counters.refused.Add(1)
		return fmt.Errorf("%w: %d bytes, at most %d", adapter.ErrTooLarge, size, p.bus.opts.MaxMessage)
	}
	if p.bytes.Add(size) > p.bus.opts.MaxQueued || !p.first.add(l) {
		p.bytes.Add(-size)
		p.bus.counters.refused.Add(1)
		return adapter.ErrFull
	}
	return nil
}

func (p *publisher) run(ctx context.Context) {
	if p.sorts() {
		p.sort(ctx)
	} else {
		p.first.run(ctx)
	}
}

// sort hands on to the lanes of the masters, until ctx ends.
func (p *publisher) sort(ctx context.Context) {
	for {
		var l letter
		select {
		case <-ctx.Done():
			return
		case l = <-p.first.queue:
		}
		if !l.answer && p.first.failing() {
			p.drop(l, adapter.ErrUnreachable)
			continue
		}
		master, err := p.masterOf(ctx, l.channel)
		if err != nil {
			p.first.failedAt.Store(time.Now().UnixNano())
			p.drop(l, unreachable(err))
			continue
		}
		at := p.lanes[master.Options().Addr]
		if at == nil {
			at = p.newLane()
			p.lanes[master.Options().Addr] = at
			p.bus.running.Go(func() { at.run(ctx) })
		}
		switch {
		case !l.answer && at.failing():
			p.drop(l, adapter.ErrUnreachable)
		case !at.add(l):
			p.drop(l, adapter.ErrFull)
		}
	}
}

// drop does not even try.
func (p *publisher) drop(l letter, err error) {
	p.leaves(l)
	p.finish(l, err)
}

// masterOf asks Redis only where nothing is known yet.
func (p *publisher) masterOf(ctx context.Context, channel string) (*redis.Client, error) {
	ctx, cancel := context.WithTimeout(ctx, publishTimeout)
	defer cancel()
	return p.bus.cluster.MasterForKey(ctx, channel)
}

// leaves makes room for another letter.
func (p *publisher) leaves(l letter) { p.bytes.Add(-int64(len(l.payload))) }

// finish says how it went with a letter that has left its queue.
func (p *publisher) finish(l letter, err error) {
	if err == nil {
		p.bus.counters.published.Add(1)
	} else {
		p.bus.counters.refused.Add(1)
	}
	if l.done != nil {
		l.done(err)
	}
}

// add tells whether there was room.
func (at *lane) add(l letter) bool {
	select {
	case at.queue <- l:
		return true
	default:
		return false
	}
}

// failing tells whether Redis has just failed to take something.
func (at *lane) failing() bool {
	return time.Since(time.Unix(0, at.failedAt.Load())) < publishPause
}

func (at *lane) run(ctx context.Context) {
	batch := make([]letter, 0, publishBatch)
	for {
		batch = batch[:0]
		select {
		case <-ctx.Done():
			return
		case l := <-at.queue:
			batch = append(batch, l)
		}
		for len(batch) < publishBatch && len(at.queue) > 0 { // no one else takes from it
			batch = append(batch, <-at.queue)
		}
		at.send(ctx, batch)
		clear(batch)
	}
}

func (at *lane) send(ctx context.Context, batch []letter) {
	bus := at.of.bus
	within, cancel := context.WithTimeout(ctx, publishTimeout)
	defer cancel()
	for _, l := range batch {
		at.of.leaves(l)
	}
	commands := make([]redis.Cmder, len(batch))
	by, err := bus.publishBy(within)
	if err == nil {
		_, err = by.Pipelined(within, func(pipe redis.Pipeliner) error {
			for i, l := range batch {
				commands[i] = once{redis.NewIntCmd(within, bus.wire.publishes(), l.channel, l.payload)}
				_ = pipe.Process(within, commands[i]) // heard below
			}
			return nil
		})
	}
	if err != nil {
		at.failedAt.Store(time.Now().UnixNano())
	}
	for i, l := range batch {
		failed := err
		if commands[i] != nil {
			failed = commands[i].Err()
		}
		if failed != nil {
			failed = unreachable(failed)
		}
		at.of.finish(l, failed)
	}
	at.tell(err)
	if err == nil {
		return
	}
	if master, is := by.(*redis.Client); is {
		bus.master.CompareAndSwap(master, nil)
	}
	bus.reload(ctx)
}

// tell has the log say that Redis begins to refuse what is published, and that no lane is refused any more. That it cannot be
// reached, subscriptions say.
func (at *lane) tell(err error) {
	is, log := isRefusal(err), at.of.bus.opts.Log
	switch {
	case is && !at.refused:
		if at.refused = true; at.of.refusing.Add(1) == 1 {
			log.Warn("Redis refuses what is published, emits end at this server, trying again", "error", err)
		}
	case !is && at.refused:
		if at.refused = false; at.of.refusing.Add(-1) == 0 && err == nil {
			log.Info("Redis takes what is published again")
		}
	}
}
