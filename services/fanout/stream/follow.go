package stream

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	edgev1 "github.com/pona-realtime/pona/proto/pona/edge/v1"
)

const (
	// consumerIdle is how long the server keeps a consumer whose reader has died.
	consumerIdle = 30 * time.Second
	// prefetchMessages and prefetchBytes bound what one reader holds ahead of its handler.
	prefetchMessages, prefetchBytes = 512, 16 << 20
)

// Follow calls handle for each event of the partition after the sequence, in order and once, until
// ctx ends; then it returns nil. Lost connections are made up for. Another error means that NATS
// refused, and Follow may be called again.
func (s *Stream) Follow(ctx context.Context, partition uint32, after uint64, handle func(*edgev1.Delivery)) error {
	return s.read(ctx, ofPartition(partition), after, func(d *edgev1.Delivery) bool {
		handle(d)
		return true
	})
}

// History reads the events of a guild after one sequence up to and with another, at which the guild
// has an event. It is not whole when some of them are no longer kept, or they exceed maxBytes.
func (s *Stream) History(ctx context.Context, guildID, after, upTo uint64, maxBytes int) (events []*edgev1.Delivery, whole bool, err error) {
	size, done := 0, false
	err = s.read(ctx, s.ofGuild(guildID), after, func(d *edgev1.Delivery) bool {
		done = d.GetSequence() >= upTo
		if d.GetSequence() <= upTo {
			events = append(events, d)
			size += len(d.GetEvent())
		}
		return !done && size <= maxBytes
	})
	switch {
	case err != nil:
		return nil, false, err
	case size > maxBytes:
		return nil, false, nil
	case !done:
		return nil, false, ctx.Err()
	}
	// Asked last: what was there before the read may have gone in its course.
	info, err := s.stream.Info(ctx)
	if err != nil {
		return nil, false, err
	}
	first := info.State.FirstSeq
	return events, first <= after+1 || first <= max(info.Config.FirstSeq, 1), nil
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
func (s *Stream) Positions(partition uint32, handle func(guildID, after uint64, event []byte)) (stop func(), err error) {
	sub, err := s.nc.Subscribe(positionsOf(partition), func(msg *nats.Msg) {
		after, _ := strconv.ParseUint(msg.Header.Get(afterHeader), 10, 64) // 0 where another program sends none
		handle(guildOf(msg.Subject), after, msg.Data)
	})
	if err != nil {
		return nil, err
	}
	return func() { _ = sub.Unsubscribe() }, nil // an error means that the connection is gone, and the subscription with it
}

// read hands the stored events of a subject to handle until that says false or ctx ends.
func (s *Stream) read(ctx context.Context, subject string, after uint64, handle func(*edgev1.Delivery) bool) error {
	consumer, err := s.stream.OrderedConsumer(ctx, jetstream.OrderedConsumerConfig{
		FilterSubjects:    []string{subject},
		DeliverPolicy:     jetstream.DeliverByStartSequencePolicy,
		OptStartSeq:       after + 1,
		InactiveThreshold: consumerIdle,
	})
	if err != nil {
		if ctx.Err() != nil {
			return nil
		}
		return fmt.Errorf("reading %s: %w", subject, err)
	}
	messages, err := consumer.Messages(jetstream.PullMaxMessagesWithBytesLimit(prefetchMessages, prefetchBytes))
	if err != nil {
		return fmt.Errorf("reading %s: %w", subject, err)
	}
	defer messages.Stop()
	defer context.AfterFunc(ctx, messages.Stop)()
	for {
		msg, err := messages.Next()
		if ctx.Err() != nil {
			return nil
		}
		if err != nil {
			return fmt.Errorf("reading %s: %w", subject, err)
		}
		meta, err := msg.Metadata()
		if err != nil {
			return fmt.Errorf("reading %s: %w", subject, err)
		}
		if !handle(&edgev1.Delivery{
			GuildId:    guildOf(msg.Subject()),
			Sequence:   meta.Sequence.Stream,
			Event:      msg.Data(),
			StoredAtNs: meta.Timestamp.UnixNano(),
		}) {
			return nil
		}
	}
}
