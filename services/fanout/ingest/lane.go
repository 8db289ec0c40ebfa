package ingest

import (
	"context"
	"sync"
	"time"

	"go.opentelemetry.io/otel/trace"

	"github.com/pona-realtime/pona/pkg/tracing"
	botv1 "github.com/pona-realtime/pona/proto/pona/bot/v1"
	playerv1 "github.com/pona-realtime/pona/proto/pona/player/v1"
	"github.com/pona-realtime/pona/services/fanout/stream"
)

// laneQueue is how many events wait in a lane before their bot waits.
const laneQueue = 64

// lane stores events one after the other: the next when the one before is known to be stored, or has failed.
// It has no goroutine. Who brings an event to an idle lane publishes it; who hears the answer, the next.
type lane struct {
	room chan struct{} // has a token for each event that waits or is under way

	mu      sync.Mutex
	busy    bool
	waiting []job
}

// job is one event on its way into the stream.
type job struct {
	ctx     context.Context // its call's; ends with the first failure, before the lane goes on
	log     *stream.Stream
	event   *playerv1.Event
	encoded []byte
	result  *botv1.PublishResult
	done    func(error)
}

// put brings an event to its lane, and waits while that is full. It is false when the job's ctx ended first.
func (s *Server) put(l *lane, j job) bool {
	select {
	case l.room <- struct{}{}:
	case <-j.ctx.Done():
		return false
	}
	l.mu.Lock()
	if l.busy {
		l.waiting = append(l.waiting, j)
		l.mu.Unlock()
		return true
	}
	l.busy = true
	l.mu.Unlock()
	s.run(l, j)
	return true
}

// run does the job and those that wait, until one must be waited for.
func (s *Server) run(l *lane, j job) {
	for more := true; more && s.store(l, j); {
		j, more = l.next()
	}
}

// next takes the job that has waited longest; without one, the lane is idle.
func (l *lane) next() (j job, more bool) {
	<-l.room
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.waiting) == 0 {
		l.busy, l.waiting = false, nil
		return job{}, false
	}
	j, l.waiting[0] = l.waiting[0], job{}
	l.waiting = l.waiting[1:]
	return j, true
}

// drain waits until nothing is under way; nothing may be put any more.
func (l *lane) drain() {
	for range cap(l.room) {
		l.room <- struct{}{}
	}
}

// store does a job, unless its call has failed. It is false when the answer goes on with the lane.
func (s *Server) store(l *lane, j job) (settled bool) {
	if j.ctx.Err() != nil {
		s.settle(j, nil, context.Cause(j.ctx))
		return true
	}
	var span trace.Span
	traceparent := ""
	if s.tracer != nil {
		span = s.trace(j)
		traceparent = tracing.Traceparent(span)
	}
	if isPosition(j.event) {
		err := j.log.SendPosition(j.event, j.encoded, LastStored(j.ctx, j.event.GetGuildId()), traceparent)
		if err == nil {
			s.measured.count("position")
		}
		s.settle(j, span, storeError(err))
		return true
	}
	began := time.Now()
	err := j.log.Append(j.event, j.encoded, traceparent, s.timeout, func(sequence uint64, duplicate bool, err error) {
		if err == nil {
			s.measured.stored(began, duplicate)
			j.result.Sequence, j.result.Duplicate = sequence, duplicate
			remember(j.ctx, j.event.GetGuildId(), sequence)
		}
		s.settle(j, span, storeError(err))
		if following, more := l.next(); more {
			s.run(l, following)
		}
	})
	if err != nil {
		s.settle(j, span, storeError(err))
		return true
	}
	return false
}

// settle says what became of a job. The span may be nil.
func (s *Server) settle(j job, span trace.Span, err error) {
	if span != nil {
		tracing.End(span, err)
	}
	if err != nil {
		s.measured.count("failed")
	}
	j.done(err)
}
