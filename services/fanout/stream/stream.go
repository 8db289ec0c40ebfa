// Package stream is the JetStream stream PLAYER_EVENTS: every stored event of every guild, in order.
//
// Bots' events come in as player.<guild>.<kind>; a subject transform of the stream stores them as
// events.<partition>.<guild>.<kind>, so that one ordered consumer reads all guilds of a partition.
// Whoever publishes to player.<guild>.<kind> with a Nats-Msg-Id takes part. Positions pass by on core NATS as
// position.<partition>.<guild> and are never stored. A Stream may be used by any goroutine; it
// returns errors and never logs. Its truth: docs.nats.io, "JetStream" and ADR-8, ADR-30.
package stream

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// Name is the stream's.
const Name = "PLAYER_EVENTS"

// headerRoom is what a message may have beside an event: the header with its event id.
const headerRoom = 1 << 10

// Options say how the stream is made. All fanouts of a cluster must agree on Partitions; what else
// differs is changed to what the fanout that started last says.
type Options struct {
	Partitions    uint32        // 1 or more; cannot be changed later
	Replicas      int           // 1, 3 or 5
	MaxAge        time.Duration // how long events are kept; at least DedupWindow
	MaxBytes      int64         // how much of them; 0 means no bound but MaxAge
	DedupWindow   time.Duration // how long an event id is remembered
	MaxEventBytes int           // of one encoded event
	Traced        bool          // spans that messages name are given with their events
}

// Stream is PLAYER_EVENTS, and the positions beside it.
type Stream struct {
	nc         *nats.Conn
	js         jetstream.JetStream
	stream     jetstream.Stream
	partitions uint32
	maxEvent   int
	traced     bool
	reader     reader
	answers    answers
}

// ErrSettings means that the settings do not fit what is there, and will not by trying again.
var ErrSettings = errors.New("settings do not fit")

// Open creates the stream, or checks the one that exists and adapts what can be changed. The error
// is ErrSettings where that cannot be done.
func Open(ctx context.Context, nc *nats.Conn, o Options) (*Stream, error) {
	js, err := jetstream.New(nc, jetstream.WithDefaultTimeout(AnswerWithin))
	if err != nil {
		return nil, err
	}
	s := &Stream{nc: nc, js: js, partitions: o.Partitions, traced: o.Traced, maxEvent: min(o.MaxEventBytes, int(nc.MaxPayload())-headerRoom)}
	s.reader.followers, s.reader.again = make(map[uint32]*follower), func() {}
	want := o.config()
	s.stream, err = js.Stream(ctx, Name)
	if errors.Is(err, jetstream.ErrStreamNotFound) {
		// Sequences go on from the clock, so that one that somebody remembers of a stream that was
		// lost is never taken for one of this.
		want.FirstSeq = uint64(time.Now().UnixMicro())
		s.stream, err = js.CreateStream(ctx, want)
		if errors.Is(err, jetstream.ErrStreamNameAlreadyInUse) { // another fanout was faster
			s.stream, err = js.Stream(ctx, Name)
		}
	}
	if err != nil {
		return nil, fmt.Errorf("stream %s: %w", Name, err)
	}
	if err := s.adapt(ctx, want); err != nil {
		return nil, fmt.Errorf("stream %s: %w", Name, err)
	}
	return s, nil
}

// Partitions is how many there are.
func (s *Stream) Partitions() uint32 { return s.partitions }

// MaxEventBytes bounds an encoded event: the option, or less where the server's max_payload does
// not leave room for so much.
func (s *Stream) MaxEventBytes() int { return s.maxEvent }

func (o Options) config() jetstream.StreamConfig {
	maxBytes := o.MaxBytes
	if maxBytes == 0 {
		maxBytes = -1
	}
	return jetstream.StreamConfig{
		Name:        Name,
		Description: "What happened in the players of all guilds.",
		Subjects:    []string{"player.*.*"},
		SubjectTransform: &jetstream.SubjectTransformConfig{
			Source:      "player.*.*",
			Destination: fmt.Sprintf("events.{{partition(%d,1)}}.{{wildcard(1)}}.{{wildcard(2)}}", o.Partitions),
		},
		Storage:     jetstream.FileStorage,
		Discard:     jetstream.DiscardOld,
		MaxAge:      o.MaxAge,
		MaxBytes:    maxBytes,
		MaxMsgSize:  int32(o.MaxEventBytes + headerRoom),
		Duplicates:  o.DedupWindow,
		Replicas:    o.Replicas,
		Compression: jetstream.S2Compression,
		AllowDirect: false, // a replica that lags must not say what the last event is
	}
}

// adapt refuses a stream that is made differently, and changes what may be changed.
func (s *Stream) adapt(ctx context.Context, want jetstream.StreamConfig) error {
	have := s.stream.CachedInfo().Config
	switch {
	case !slices.Equal(have.Subjects, want.Subjects):
		return fmt.Errorf("%w: it takes the subjects %s and should take %s; another program's stream has this name", ErrSettings,
			strings.Join(have.Subjects, " "), strings.Join(want.Subjects, " "))
	case have.SubjectTransform == nil || *have.SubjectTransform != *want.SubjectTransform:
		return fmt.Errorf("%w: its events are stored as %s and the settings say %s; partitions cannot be changed while it exists", ErrSettings,
			destination(have), destination(want))
	case have.Storage != want.Storage:
		return fmt.Errorf("%w: it keeps events in %s and should keep them in %s; that cannot be changed while it exists", ErrSettings, have.Storage, want.Storage)
	}
	next := have
	next.MaxAge, next.MaxBytes, next.MaxMsgSize = want.MaxAge, want.MaxBytes, want.MaxMsgSize
	next.Duplicates, next.Replicas, next.Compression = want.Duplicates, want.Replicas, want.Compression
	next.AllowDirect = want.AllowDirect
	if next.MaxAge == have.MaxAge && next.MaxBytes == have.MaxBytes && next.MaxMsgSize == have.MaxMsgSize &&
		next.Duplicates == have.Duplicates && next.Replicas == have.Replicas &&
		next.Compression == have.Compression && next.AllowDirect == have.AllowDirect {
		return nil
	}
	_, err := s.js.UpdateStream(ctx, next)
	return err
}

func destination(c jetstream.StreamConfig) string {
	if c.SubjectTransform == nil {
		return "they came"
	}
	return c.SubjectTransform.Destination
}
