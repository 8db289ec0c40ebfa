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

// publisher sends what is published in the order of the calls. A pipeline takes what has gathered while
// the one before was under way.
type publisher struct {
	bus      *Bus
	queue    chan letter
	bytes    atomic.Int64 // in the queue
	failedAt atomic.Int64 // when it last did, nanoseconds since 1970
	refused  bool         // the last batch, by Redis; only run looks
}

type letter struct {
	channel string
	payload []byte
	lost    func(error) // where Redis has not taken it, as far as is known; nil: nobody waits for it
}

// once is a command that is sent to another node where Redis says so, but never again to one that may have taken it.
type once struct{ *redis.IntCmd }

// NoRetry is go-redis' own question.
func (once) NoRetry() bool { return true }

func newPublisher(b *Bus) *publisher {
	return &publisher{bus: b, queue: make(chan letter, publishQueue)}
}

// refuses tells whether Redis has just failed to take something.
func (p *publisher) refuses() bool {
	if time.Since(time.Unix(0, p.failedAt.Load())) >= publishPause {
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
	if p.bytes.Add(size) > p.bus.opts.MaxQueued {
		p.bytes.Add(-size)
		p.bus.counters.refused.Add(1)
		return adapter.ErrFull
	}
	select {
	case p.queue <- l:
		return nil
	default:
		p.bytes.Add(-size)
		p.bus.counters.refused.Add(1)
		return adapter.ErrFull
	}
}

func (p *publisher) run(ctx context.Context) {
	batch := make([]letter, 0, publishBatch)
	for {
		batch = batch[:0]
		select {
		case <-ctx.Done():
			return
		case l := <-p.queue:
			batch = append(batch, l)
		}
		for len(batch) < publishBatch && len(p.queue) > 0 { // no one else takes from it
			batch = append(batch, <-p.queue)
		}
		p.send(ctx, batch)
		clear(batch)
	}
}

func (p *publisher) send(ctx context.Context, batch []letter) {
	within, cancel := context.WithTimeout(ctx, publishTimeout)
	defer cancel()
	for _, l := range batch {
		p.bytes.Add(-int64(len(l.payload)))
	}
	commands := make([]redis.Cmder, len(batch))
	by, err := p.bus.publishBy(within)
	if err == nil {
		_, err = by.Pipelined(within, func(pipe redis.Pipeliner) error {
			for i, l := range batch {
				commands[i] = once{redis.NewIntCmd(within, p.bus.wire.publishes(), l.channel, l.payload)}
				_ = pipe.Process(within, commands[i]) // heard below
			}
			return nil
		})
	}
	for i, l := range batch {
		failed := err
		if commands[i] != nil {
			failed = commands[i].Err()
		}
		switch {
		case failed == nil:
			p.bus.counters.published.Add(1)
			continue
		case l.lost != nil:
			l.lost(unreachable(failed))
		}
		p.bus.counters.refused.Add(1)
	}
	if is := isRefusal(err); is != p.refused { // that it cannot be reached, subscriptions say
		if p.refused = is; is {
			p.bus.opts.Log.Warn("Redis refuses what is published, emits end at this server, trying again", "error", err)
		} else if err == nil {
			p.bus.opts.Log.Info("Redis takes what is published again")
		}
	}
	if err == nil {
		return
	}
	p.failedAt.Store(time.Now().UnixNano())
	if master, is := by.(*redis.Client); is {
		p.bus.master.CompareAndSwap(master, nil)
	}
	p.bus.reload(ctx)
}
