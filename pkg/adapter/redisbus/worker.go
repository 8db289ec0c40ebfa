package redisbus

import (
	"context"
	"hash/maphash"
	"slices"
)

// workQueue bounds the messages that wait for one worker.
const workQueue = 16384

// worker handles the messages of its namespaces, in the order in which they came. Readers hand on and
// never wait for it: Redis cuts who does not read.
type worker struct {
	bus   *Bus
	queue chan parcel
}

// parcel is a message as it came.
type parcel struct {
	line    *line
	channel string
	payload string
}

func newWorker(b *Bus) *worker {
	return &worker{bus: b, queue: make(chan parcel, workQueue)}
}

var hashSeed = maphash.MakeSeed()

func (b *Bus) workerOf(namespace string) *worker {
	return b.workers[maphash.String(hashSeed, namespace)%uint64(len(b.workers))]
}

// receive is called by readers.
func (b *Bus) receive(channel, payload string) {
	b.counters.received.Add(1)
	for _, l := range b.subscriptions.users(channel) {
		size := int64(len(payload))
		if b.waiting.Add(size) <= b.opts.MaxQueued {
			select {
			case l.worker.queue <- parcel{l, channel, payload}:
				continue
			default:
			}
		}
		b.waiting.Add(-size)
		b.counters.overflowed.Add(1)
	}
}

func (w *worker) run(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case p := <-w.queue:
			w.bus.waiting.Add(-int64(len(p.payload)))
			w.handle(p)
		}
	}
}

func (w *worker) handle(p parcel) {
	m, err := w.bus.wire.decode(p.line, p.channel, []byte(p.payload))
	switch {
	case err != nil:
		w.bus.counters.malformed.Add(1)
	case m == nil || m.From != "" && (m.From == p.line.uid || slices.Contains(w.bus.opts.Ignore, m.From)):
		// an echo, or none of ours
	default:
		p.line.deliver(m)
	}
}
