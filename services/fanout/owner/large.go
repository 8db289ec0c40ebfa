package owner

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go/jetstream"
	"google.golang.org/protobuf/proto"

	edgev1 "github.com/pona-realtime/pona/proto/pona/edge/v1"
)

// largeBucket is an object store of the states that are larger than one message of NATS may be. Then
// guild.<id> in stateBucket holds elsewhere and the object's name. Each tenure writes objects of its own,
// so that nobody overwrites what the current guild.<id> names; each holds a whole state and its sequence.
const largeBucket = "FANOUT_STATE_LARGE"

// elsewhere begins a value that names an object; like packed, it begins no protobuf message.
const elsewhere = 1

// headerRoom is what a message may have beside a state: its headers.
const headerRoom = 1 << 10

// objectWithin bounds the reading or writing of one object.
const objectWithin = 30 * time.Second

// openLarge makes or adapts the object store. As openBucket, it makes the stream itself, lest a replica that lags answers.
func openLarge(ctx context.Context, js jetstream.JetStream, ttl time.Duration, replicas int) (jetstream.ObjectStore, error) {
	_, err := js.CreateOrUpdateStream(ctx, jetstream.StreamConfig{
		Name:        "OBJ_" + largeBucket,
		Subjects:    []string{"$O." + largeBucket + ".C.>", "$O." + largeBucket + ".M.>"},
		MaxAge:      ttl,
		Storage:     jetstream.FileStorage,
		Replicas:    replicas,
		Discard:     jetstream.DiscardNew,
		AllowRollup: true,
		AllowDirect: false,
	})
	if err != nil {
		return nil, fmt.Errorf("bucket %s: %w", largeBucket, err)
	}
	store, err := js.ObjectStore(ctx, largeBucket)
	if err != nil {
		return nil, fmt.Errorf("bucket %s: %w", largeBucket, err)
	}
	return store, nil
}

// most is how many bytes a value in stateBucket may have.
func (c *checkpoints) most() int { return int(c.js.Conn().MaxPayload()) - headerRoom }

// store puts a packed state where it fits, and gives the value that says so. What could never be read
// again is left out: the guild's state then begins anew with whoever owns it next.
func (c *checkpoints) store(ctx context.Context, s *edgev1.Snapshot, packed []byte, size int, epoch uint64, at standing) (value []byte, object string, err error) {
	if size > mostState {
		c.oversize.Inc()
		c.log.Warn("a guild's state is too large to be kept; it is lost when this fanout ends", "guild", s.GetGuildId(), "bytes", size, "most", mostState)
		value, err = proto.Marshal(&edgev1.Snapshot{GuildId: s.GetGuildId(), Sequence: s.GetSequence(), Trail: s.GetTrail()})
		return value, "", err
	}
	object = fmt.Sprintf("guild.%d.%d", s.GetGuildId(), epoch)
	if at.object != object {
		c.log.Warn("a guild's state is larger than the NATS server's max_payload allows, and kept in pieces",
			"guild", s.GetGuildId(), "bytes", len(packed), "unpacked", size, "most", c.most())
	}
	c.oversize.Inc()
	ctx, cancel := context.WithTimeout(ctx, objectWithin)
	defer cancel()
	meta := jetstream.ObjectMeta{Name: object, Opts: &jetstream.ObjectMetaOptions{ChunkSize: uint32(min(c.most(), 128<<10))}}
	if _, err := c.large.Put(ctx, meta, bytes.NewReader(packed)); err != nil {
		return nil, "", err
	}
	return append([]byte{elsewhere}, object...), object, nil
}

// objectOf is the object that a value names; empty for a value that is a state.
func objectOf(value []byte) string {
	if len(value) == 0 || value[0] != elsewhere {
		return ""
	}
	return string(value[1:])
}

func (c *checkpoints) fetch(ctx context.Context, object string) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, objectWithin)
	defer cancel()
	return c.large.GetBytes(ctx, object)
}

// forget deletes an object that is no longer named. What it cannot delete, the bucket's TTL does.
func (c *checkpoints) forget(ctx context.Context, object, next string) {
	if object == "" || object == next {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, answerWithin)
	defer cancel()
	if err := c.large.Delete(ctx, object); err != nil && !errors.Is(err, jetstream.ErrObjectNotFound) && ctx.Err() == nil {
		c.log.Warn("deleting a guild's earlier state", "object", object, "error", err)
	}
}
