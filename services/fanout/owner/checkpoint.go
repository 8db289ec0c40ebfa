package owner

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strconv"
	"time"

	"github.com/nats-io/nats.go/jetstream"
	"github.com/prometheus/client_golang/prometheus"
	"google.golang.org/protobuf/proto"

	edgev1 "github.com/pona-realtime/pona/proto/pona/edge/v1"
	"github.com/pona-realtime/pona/services/fanout/stream"
)

// stateBucket holds guild.<id>, a pona.edge.v1.Snapshot as pack stores it, or where that stands (see
// large.go), and partition.<number>, the decimal sequence up to which every guild.<id> of the partition is complete.
//
// Writes are fenced by revision. A new owner writes partition.<number> before it reads anything
// else, so that the one before cannot move it any more. Of two states of a guild the one with the
// higher sequence is always right, whoever wrote it, because both fold the same events.
const stateBucket = "FANOUT_STATE"

// answerWithin bounds one request: what NATS has not answered by then, it has lost on the way up.
const answerWithin = stream.AnswerWithin

// checkpoints reads and writes stateBucket.
type checkpoints struct {
	js       jetstream.JetStream
	bucket   jetstream.KeyValue
	large    jetstream.ObjectStore
	endedTTL time.Duration // of the state of a guild without a player; 0 means the bucket's
	log      *slog.Logger
	oversize prometheus.Counter
}

// standing is where a guild's checkpoint stands.
type standing struct {
	revision uint64 // 0 when there is none
	object   string // in large; empty where the state itself stands in the bucket
}

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
	return c.write(ctx, leaseKey(partition), strconv.AppendUint(nil, sequence, 10), revision, 0)
}

// load reads a guild's state: an empty one, standing nowhere, when there is none.
func (c *checkpoints) load(ctx context.Context, guildID uint64) (snapshot *edgev1.Snapshot, at standing, err error) {
	asking, cancel := context.WithTimeout(ctx, answerWithin)
	defer cancel()
	snapshot = &edgev1.Snapshot{}
	entry, err := c.bucket.Get(asking, guildKey(guildID))
	if gone(err) {
		return snapshot, standing{}, nil
	}
	if err != nil {
		return nil, standing{}, err
	}
	at, stored := standing{revision: entry.Revision()}, entry.Value()
	if at.object = objectOf(stored); at.object != "" {
		if stored, err = c.fetch(ctx, at.object); errors.Is(err, jetstream.ErrObjectNotFound) {
			return snapshot, at, nil // it expired a moment before what says where it is
		}
		if err != nil {
			return nil, standing{}, err
		}
	}
	encoded, err := unpack(stored)
	if err == nil {
		err = proto.Unmarshal(encoded, snapshot)
	}
	if err != nil {
		return nil, standing{}, fmt.Errorf("%s in bucket %s: %w", entry.Key(), stateBucket, err)
	}
	return snapshot, at, nil
}

// save writes a guild's state, unless what stands there is as new. It returns what stands there now.
// The epoch is the writer's.
func (c *checkpoints) save(ctx context.Context, snapshot *edgev1.Snapshot, epoch uint64, at standing) (standing, error) {
	encoded, err := proto.Marshal(snapshot)
	if err != nil {
		return at, err
	}
	stored, next := pack(encoded), standing{}
	if len(stored) > c.most() {
		if stored, next.object, err = c.store(ctx, snapshot, stored, len(encoded), epoch, at); err != nil {
			return at, err
		}
	}
	ttl := time.Duration(0)
	if !snapshot.GetState().GetExists() {
		ttl = c.endedTTL
	}
	for {
		next.revision, err = c.write(ctx, guildKey(snapshot.GetGuildId()), stored, at.revision, ttl)
		if err == nil {
			c.forget(ctx, at.object, next.object)
			return next, nil
		}
		if !lost(err) {
			return at, err
		}
		there, found, err := c.load(ctx, snapshot.GetGuildId())
		if err != nil || found.revision != 0 && there.GetSequence() >= snapshot.GetSequence() {
			return found, err
		}
		at = found
	}
}

// write puts a value under a key that has the revision, for as long as ttl; 0 means the bucket's.
func (c *checkpoints) write(ctx context.Context, key string, value []byte, revision uint64, ttl time.Duration) (uint64, error) {
	ctx, cancel := context.WithTimeout(ctx, answerWithin)
	defer cancel()
	options := []jetstream.PublishOpt{jetstream.WithExpectLastSequencePerSubject(revision)}
	if ttl > 0 {
		options = append(options, jetstream.WithMsgTTL(ttl))
	}
	// What the KV API does, but that cannot give a key that is there a TTL.
	ack, err := c.js.Publish(ctx, "$KV."+stateBucket+"."+key, value, options...)
	if err != nil {
		return 0, err
	}
	return ack.Sequence, nil
}

func guildKey(guildID uint64) string { return "guild." + strconv.FormatUint(guildID, 10) }
