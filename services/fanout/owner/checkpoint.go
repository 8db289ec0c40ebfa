package owner

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"github.com/nats-io/nats.go/jetstream"
	"google.golang.org/protobuf/proto"

	edgev1 "github.com/pona-realtime/pona/proto/pona/edge/v1"
)

// stateBucket holds guild.<id>, a pona.edge.v1.Snapshot as pack stores it, and partition.<number>, the decimal
// sequence up to which every guild.<id> of the partition is complete.
//
// Writes are fenced by revision. A new owner writes partition.<number> before it reads anything
// else, so that the one before cannot move it any more. Of two states of a guild the one with the
// higher sequence is always right, whoever wrote it, because both fold the same events.
const stateBucket = "FANOUT_STATE"

// answerWithin bounds one request: what NATS has not answered by then, it has lost on the way up.
const answerWithin = 2 * time.Second

// checkpoints reads and writes stateBucket.
type checkpoints struct{ bucket jetstream.KeyValue }

// position reads how far a partition is complete: 0 at revision 0 when nobody has owned it.
func (c *checkpoints) position(ctx context.Context, partition uint32) (sequence, revision uint64, err error) {
	ctx, cancel := context.WithTimeout(ctx, answerWithin)
	defer cancel()
	entry, err := c.bucket.Get(ctx, leaseKey(partition))
	if gone(err) {
		return 0, 0, nil
	}
	if err != nil {
		return 0, 0, err
	}
	sequence, err = strconv.ParseUint(string(entry.Value()), 10, 64)
	if err != nil {
		return 0, 0, fmt.Errorf("%s in bucket %s is %q, no sequence", entry.Key(), stateBucket, entry.Value())
	}
	return sequence, entry.Revision(), nil
}

// setPosition writes it, if nobody has since the revision. It returns the next revision.
func (c *checkpoints) setPosition(ctx context.Context, partition uint32, sequence, revision uint64) (uint64, error) {
	return c.write(ctx, leaseKey(partition), strconv.AppendUint(nil, sequence, 10), revision)
}

// load reads a guild: an empty state at sequence and revision 0 when there is none.
func (c *checkpoints) load(ctx context.Context, guildID uint64) (snapshot *edgev1.Snapshot, revision uint64, err error) {
	ctx, cancel := context.WithTimeout(ctx, answerWithin)
	defer cancel()
	snapshot = &edgev1.Snapshot{}
	entry, err := c.bucket.Get(ctx, guildKey(guildID))
	if gone(err) {
		return snapshot, 0, nil
	}
	if err != nil {
		return nil, 0, err
	}
	encoded, err := unpack(entry.Value())
	if err == nil {
		err = proto.Unmarshal(encoded, snapshot)
	}
	if err != nil {
		return nil, 0, fmt.Errorf("%s in bucket %s: %w", entry.Key(), stateBucket, err)
	}
	return snapshot, entry.Revision(), nil
}

// save writes a guild's state, unless what stands there is as new. It returns the revision that stands
// there now.
func (c *checkpoints) save(ctx context.Context, snapshot *edgev1.Snapshot, revision uint64) (uint64, error) {
	encoded, err := proto.Marshal(snapshot)
	if err != nil {
		return revision, err
	}
	encoded = pack(encoded)
	for {
		next, err := c.write(ctx, guildKey(snapshot.GetGuildId()), encoded, revision)
		if err == nil || !lost(err) {
			return next, err
		}
		there, found, err := c.load(ctx, snapshot.GetGuildId())
		if err != nil || found != 0 && there.GetSequence() >= snapshot.GetSequence() {
			return found, err
		}
		revision = found
	}
}

func (c *checkpoints) write(ctx context.Context, key string, value []byte, revision uint64) (uint64, error) {
	ctx, cancel := context.WithTimeout(ctx, answerWithin)
	defer cancel()
	if revision == 0 {
		return c.bucket.Create(ctx, key, value)
	}
	return c.bucket.Update(ctx, key, value, revision)
}

func guildKey(guildID uint64) string { return "guild." + strconv.FormatUint(guildID, 10) }
