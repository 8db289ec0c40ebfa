package stream

import (
	"context"
	"sync"
	"time"

	edgev1 "github.com/pona-realtime/pona/proto/pona/edge/v1"
)

// settle is how long a partition waits for others that are followed at the same time, as in a takeover:
// NATS goes through the subjects of all guilds whenever a consumer is made.
const settle = 50 * time.Millisecond

// reader reads the events of all partitions that one process follows by one consumer, because NATS looks
// at every stored event once for each consumer: one for each partition would cost partitions × events.
type reader struct {
	lag lag

	mu        sync.Mutex // held while a handler runs
	followers map[uint32]*follower
	reached   uint64             // the consumer at work has handed on what is up to here
	again     context.CancelFunc // ends that consumer; the next one reads for who follows then
	settling  bool               // again will be called
}

// follower is one partition that is followed.
type follower struct {
	after  uint64 // the last event that it was given or has from elsewhere
	joined bool   // the consumer at work reads for it
	handle func(*edgev1.Delivery)
}

// Follow calls handle for each event of the partition after the sequence, in order and once, until ctx
// ends; no call is under way when it returns. The handlers of all partitions are called one after the
// other, and only while Run runs. A partition has one follower at a time.
func (s *Stream) Follow(ctx context.Context, partition uint32, after uint64, handle func(*edgev1.Delivery)) {
	r, f := &s.reader, &follower{after: after, handle: handle}
	r.mu.Lock()
	r.followers[partition] = f
	if !r.settling {
		r.settling = true
		time.AfterFunc(settle, r.settled)
	}
	r.mu.Unlock()
	<-ctx.Done()
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.followers[partition] == f {
		delete(r.followers, partition)
	}
	if len(r.followers) == 0 {
		r.again()
	}
}

func (r *reader) settled() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.settling = false
	r.again()
}

// Run reads for all that Follow until ctx ends; then it returns nil. Lost connections are made up for.
// Another error means that NATS refused, and Run may be called again: it goes on where it was.
func (s *Stream) Run(ctx context.Context) error {
	r := &s.reader
	for ctx.Err() == nil {
		reading, again := context.WithCancel(ctx)
		subjects, after := r.begin(s.partitions, again)
		var err error
		if len(subjects) > 0 {
			r.lag.begin()
			err = s.read(reading, subjects, after, r.lag.watch, func(d *edgev1.Delivery, at place) bool {
				r.lag.came(at.number, at.more)
				r.hand(d, at.partition)
				r.lag.did(at.number, at.storedAt)
				return reading.Err() == nil
			})
		} else {
			r.lag.rest()
			<-reading.Done()
		}
		again()
		if err != nil {
			return err
		}
	}
	r.lag.rest()
	return nil
}

// begin notes how far the followers are, and says what the next consumer reads and after what.
func (r *reader) begin(partitions uint32, again context.CancelFunc) (subjects []string, after uint64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.again = again
	for partition, f := range r.followers {
		if f.joined {
			f.after = max(f.after, r.reached)
		}
		f.joined = true
		if len(subjects) == 0 || f.after < after {
			after = f.after
		}
		subjects = append(subjects, ofPartition(partition))
	}
	if len(subjects) == int(partitions) {
		subjects = []string{everything}
	}
	r.reached = after
	return subjects, after
}

// hand gives an event to who follows its partition, unless that has had it. The first event of a partition
// that nobody follows any more ends the consumer, so that many that leave at once cost one new consumer.
func (r *reader) hand(d *edgev1.Delivery, partition uint32) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.reached = d.GetSequence()
	switch f := r.followers[partition]; {
	case f == nil:
		r.again()
	case f.joined && d.GetSequence() > f.after:
		f.after = d.GetSequence()
		f.handle(d)
	}
}
