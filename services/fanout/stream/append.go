package stream

import (
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"google.golang.org/protobuf/proto"

	playerv1 "github.com/pona-realtime/pona/proto/pona/player/v1"
)

// ErrUnavailable means that the event may be stored or not, and should be appended again with the
// same id when NATS is back.
var ErrUnavailable = errors.New("the event stream does not answer")

// TooLargeError refuses an event for its size.
type TooLargeError struct {
	Size, Limit int // bytes of the encoded event
}

func (e *TooLargeError) Error() string {
	return fmt.Sprintf("%d bytes, must be at most %d", e.Size, e.Limit)
}

// Encode gives the bytes under which an event is stored and sent on, or a *TooLargeError.
func (s *Stream) Encode(ev *playerv1.Event) ([]byte, error) {
	encoded, err := proto.Marshal(ev)
	if err != nil {
		return nil, err
	}
	if len(encoded) > s.maxEvent {
		return nil, &TooLargeError{len(encoded), s.maxEvent}
	}
	return encoded, nil
}

// Append stores an event that has passed player.Validate, in the form that Encode gave it. It does not wait:
// done is called once, by another goroutine that it must not hold up, when the event is stored or within is over. An
// event whose id was stored within the dedup window is not stored again: duplicate is true, and the sequence is the
// first one's. Errors are ErrUnavailable; after one that is returned, done is not called. The traceparent, empty
// for none, goes with the event.
func (s *Stream) Append(ev *playerv1.Event, encoded []byte, traceparent string, within time.Duration,
	done func(sequence uint64, duplicate bool, err error)) error {
	if !s.nc.IsConnected() {
		return fmt.Errorf("%w: NATS is not connected", ErrUnavailable)
	}
	reply, err := s.answers.expect(s.nc, within, func(sequence uint64, duplicate bool, err error) {
		if err != nil {
			err = fmt.Errorf("%w: %w", ErrUnavailable, err)
		}
		done(sequence, duplicate, err)
	})
	if err == nil {
		err = s.nc.PublishMsg(&nats.Msg{
			Subject: incoming(ev),
			Reply:   reply,
			Header:  inject(nats.Header{jetstream.MsgIDHeader: {ev.GetEventId()}}, traceparent),
			Data:    encoded,
		})
		if err != nil && s.answers.forget(reply) == nil {
			return nil // its time was over already, and done has been told
		}
	}
	if err != nil {
		return fmt.Errorf("%w: %w", ErrUnavailable, err)
	}
	return nil
}

// afterHeader is the sequence of the event that its bot had published before a position.
const afterHeader = "Pona-After"

// SendPosition sends a position to the partition's owner, which lets it pass after the event of the
// guild with the sequence after; 0 is not waited for. It is not stored: where nobody listens, it is
// lost, and the next one comes soon. The traceparent is Append's.
func (s *Stream) SendPosition(ev *playerv1.Event, encoded []byte, after uint64, traceparent string) error {
	msg := &nats.Msg{Subject: s.positionOf(ev.GetGuildId()), Data: encoded}
	if after != 0 {
		msg.Header = nats.Header{afterHeader: {strconv.FormatUint(after, 10)}}
	}
	msg.Header = inject(msg.Header, traceparent)
	if err := s.nc.PublishMsg(msg); err != nil {
		return fmt.Errorf("%w: %w", ErrUnavailable, err)
	}
	return nil
}
