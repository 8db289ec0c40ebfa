package redisbus

import (
	"context"
	"sync/atomic"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/pona-realtime/pona/pkg/adapter"
)

const (
	publishQueue = 16384                  // messages
	publishBatch = 512                    // messages of one pipeline
	publishPause = 250 * time.Millisecond // after a failure, in which all is refused
)

// publisher sends what is published in the order of the calls. A pipeline takes what has gathered while
// the one before was under way.
type publisher struct {
	bus      *Bus
	queue    chan letter
	bytes    atomic.Int64          // in the queue
	failedAt atomic.Int64          // nanoseconds since 1970; 0 after a success
	by       redis.UniversalClient // who sends, until that fails; run's own
}

type letter struct {
	channel string
	payload []byte
}

func newPublisher(b *Bus) *publisher {
	return &publisher{bus: b, queue: make(chan letter, publishQueue)}
}

// refuses tells whether Redis has just failed to take something.
func (p *publisher) refuses() bool {
	at := p.failedAt.Load()
	if at == 0 || time.Since(time.Unix(0, at)) >= publishPause {
		return false
	}
	p.bus.counters.refused.Add(1)
	return true
}

// publish never waits.
func (p *publisher) publish(channel string, payload []byte) error {
	size := int64(len(payload))
	if p.bytes.Add(size) > p.bus.opts.MaxQueued {
		p.bytes.Add(-size)
		p.bus.counters.refused.Add(1)
		return adapter.ErrFull
	}
	select {
	case p.queue <- letter{channel, payload}:
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
	var commands []redis.Cmder
	var err error
	if p.by == nil {
		p.by, err = p.bus.publishBy(ctx)
	}
	for _, l := range batch {
		p.bytes.Add(-int64(len(l.payload)))
	}
	if err == nil {
		commands, err = p.by.Pipelined(ctx, func(pipe redis.Pipeliner) error {
			for _, l := range batch {
				p.bus.wire.publish(ctx, pipe, l.channel, l.payload)
			}
			return nil
		})
	}
	failed := uint64(len(batch))
	for _, c := range commands {
		if c.Err() == nil {
			failed--
		}
	}
	p.bus.counters.published.Add(uint64(len(batch)) - failed)
	p.bus.counters.refused.Add(failed)
	if err == nil {
		p.failedAt.Store(0)
	} else {
		p.failedAt.Store(time.Now().UnixNano())
		p.by = nil
	}
}
