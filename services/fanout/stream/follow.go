package stream

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	edgev1 "github.com/pona-realtime/pona/proto/pona/edge/v1"
)

const (
	// AnswerWithin is how long JetStream has to answer a request. One that no leader has heard is never
	// answered, so that what is asked again sooner is answered sooner once there is one.
	AnswerWithin = 2 * time.Second
	// consumerIdle is how long the server keeps a consumer whose reader has died.
	consumerIdle = 30 * time.Second
	// consumerHeartbeat is how often the server says that a consumer without news is there; two missing
	// ones end its reading. A cluster loses consumers with a server, and the first request to a new
	// one where that is not known to all servers yet.
	consumerHeartbeat = time.Second
	// prefetchMessages and prefetchBytes bound what one reader holds ahead of its handler.
	prefetchMessages, prefetchBytes = 512, 16 << 20
)

// Range is a part of a guild's events.
type Range struct {
	GuildID  uint64
	After    uint64 // from the one after this sequence on
	Next     uint64 // which is that one, or one before it; 0 where unknown
	UpTo     uint64 // to this one, which the guild has
	MaxBytes int
}

// History reads a part of a guild's events. It is not whole when some of them are no longer kept, or
// may not be, or they exceed MaxBytes.
func (s *Stream) History(ctx context.Context, r Range) (events []*edgev1.Delivery, whole bool, err error) {
	if kept, err := s.keeps(ctx, r.UpTo); err != nil || !kept {
		return nil, false, err // nor would the read ever come to its end
	}
	size, done := 0, false
	err = s.read(ctx, []string{s.ofGuild(r.GuildID)}, r.After, nil, func(d *edgev1.Delivery, _ place) bool {
		done = d.GetSequence() >= r.UpTo
		if d.GetSequence() <= r.UpTo {
			events = append(events, d)
			size += len(d.GetEvent())
		}
		return !done && size <= r.MaxBytes
	})
	switch {
	case err != nil:
		return nil, false, err
	case size > r.MaxBytes:
		return nil, false, nil
	case !done:
		return nil, false, ctx.Err()
	case r.Next != 0 && len(events) > 0 && events[0].GetSequence() <= r.Next:
		return events, true, nil // what goes, goes from the front
	}
	// Asked last: what was there before the read may have gone in its course.
	whole, err = s.keeps(ctx, r.After+1)
	return events, whole, err
}

// keeps says whether the stream has everything from a sequence on.
func (s *Stream) keeps(ctx context.Context, sequence uint64) (bool, error) {
	info, err := s.stream.Info(ctx)
	if err != nil {
		return false, err
	}
	return sequence >= info.State.FirstSeq || info.State.FirstSeq <= max(info.Config.FirstSeq, 1), nil
}

// Last is the sequence of the partition's last event, 0 when none is kept.
func (s *Stream) Last(ctx context.Context, partition uint32) (uint64, error) {
	msg, err := s.stream.GetLastMsgForSubject(ctx, ofPartition(partition))
	if errors.Is(err, jetstream.ErrMsgNotFound) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	return msg.Sequence, nil
}

// Positions calls handle with each position of the partition's guilds, one after the other, until
// stop is called; after is SendPosition's. One call of handle may still run when stop returns.
func (s *Stream) Positions(partition uint32, handle func(d *edgev1.Delivery, after uint64)) (stop func(), err error) {
	sub, err := s.nc.Subscribe(positionsOf(partition), func(msg *nats.Msg) {
		after, _ := strconv.ParseUint(msg.Header.Get(afterHeader), 10, 64) // 0 where another program sends none
		_, guildID := placeOf(msg.Subject)
		handle(&edgev1.Delivery{GuildId: guildID, Event: msg.Data, Traceparent: s.traceparent(msg.Header)}, after)
	})
	if err != nil {
		return nil, err
	}
	return func() { _ = sub.Unsubscribe() }, nil // an error means that the connection is gone, and the subscription with it
}

// place is where a stored event stands.
type place struct {
	partition uint32
	number    uint64 // among the events of its consumer, from 1 on
	more      uint64 // of which there were so many after it when it was sent
	storedAt  time.Time
}

// read hands the stored events of subjects to handle until that says false or ctx ends; then it returns nil. An
// error means that some may be missing from there on: the consumer is gone, as it is with its server, or says
// nothing any more. Meanwhile beside runs, nil for nothing, until its ctx ends.
//
// This is jetstream's ordered consumer but for its patience. That one waits ten seconds for the answer to
// a request that no leader has heard, and then longer each time; here the caller tries again soon.
func (s *Stream) read(ctx context.Context, subjects []string, after uint64, beside func(context.Context, jetstream.Consumer), handle func(*edgev1.Delivery, place) bool) error {
	consumer, messages, err := s.consume(ctx, subjects, after)
	if err != nil {
		if ctx.Err() != nil {
			return nil
		}
		return fmt.Errorf("reading %s: %w", strings.Join(subjects, " "), err)
	}
	defer messages.Stop()
	defer context.AfterFunc(ctx, messages.Stop)()
	if beside != nil {
		watching, enough := context.WithCancel(ctx)
		var watch sync.WaitGroup
		watch.Go(func() { beside(watching, consumer) })
		defer watch.Wait()
		defer enough()
	}
	for expected := uint64(1); ; expected++ {
		msg, err := messages.Next()
		if ctx.Err() != nil {
			return nil
		}
		var meta *jetstream.MsgMetadata
		if err == nil {
			meta, err = msg.Metadata()
		}
		if err == nil && meta.Sequence.Consumer != expected {
			err = errGap
		}
		if err != nil {
			return fmt.Errorf("reading %s: %w", strings.Join(subjects, " "), err)
		}
		partition, guildID := placeOf(msg.Subject())
		if !handle(&edgev1.Delivery{
			GuildId:     guildID,
			Sequence:    meta.Sequence.Stream,
			Event:       msg.Data(),
			StoredAtNs:  meta.Timestamp.UnixNano(),
			Traceparent: s.traceparent(msg.Headers()),
		}, place{partition, expected, meta.NumPending, meta.Timestamp}) {
			return nil
		}
	}
}

var errGap = errors.New("a message was lost on its way")

// consume makes a consumer that lives as long as somebody reads, on one server, in memory.
func (s *Stream) consume(ctx context.Context, subjects []string, after uint64) (jetstream.Consumer, jetstream.MessagesContext, error) {
	ctx, cancel := context.WithTimeout(ctx, AnswerWithin)
	defer cancel()
	consumer, err := s.stream.CreateConsumer(ctx, jetstream.ConsumerConfig{
		FilterSubjects:    subjects,
		DeliverPolicy:     jetstream.DeliverByStartSequencePolicy,
		OptStartSeq:       after + 1,
		AckPolicy:         jetstream.AckNonePolicy,
		MaxDeliver:        1,
		InactiveThreshold: consumerIdle,
		Replicas:          1,
		MemoryStorage:     true,
	})
	if err != nil {
		return nil, nil, err
	}
	messages, err := consumer.Messages(jetstream.PullMaxMessagesWithBytesLimit(prefetchMessages, prefetchBytes), jetstream.PullHeartbeat(consumerHeartbeat))
	return consumer, messages, err
}
