package owner

import (
	"container/list"
	"context"
	"log/slog"
	"sync"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/pona-realtime/pona/pkg/tracing"
	edgev1 "github.com/pona-realtime/pona/proto/pona/edge/v1"
	playerv1 "github.com/pona-realtime/pona/proto/pona/player/v1"
	"github.com/pona-realtime/pona/services/fanout/stream"
)

// partition is the state of one owned partition. mu guards what stands below it, and is never held while
// anything is read or written.
type partition struct {
	ctx         context.Context // ends with the tenure; bounds reads under mu
	lease       *lease
	events      *stream.Stream
	checkpoints *checkpoints
	ages        *ages
	maxReplay   int
	mirror      func(guildID uint64, ev *playerv1.Event) // nil for none
	tooOld      prometheus.Counter                       // events that it was not told; not nil where there is a mirror
	tracer      *tracing.Tracer                          // nil for none
	log         *slog.Logger
	flushing    sync.Mutex     // one checkpoint at a time; taken before mu
	replays     sync.WaitGroup // see replay.go
	due         chan struct{}  // holds one token when a checkpoint is due before its time

	mu       sync.Mutex
	closed   bool
	sequence uint64 // of the last event handled
	saved    uint64 // up to here the checkpoints are complete
	revision uint64 // of the partition's own checkpoint
	guilds   map[uint64]*guild
	recent   *list.List // of *guild, the one touched last in front
	dirty    map[uint64]*guild
	unsaved  int // events since the last checkpoint

	left    int              // guilds that have left memory, ever
	cold    map[uint64]*cold // what came for guilds that are not in memory
	waiting int              // events in cold
}

func newPartition(ctx context.Context, l *lease, events *stream.Stream, c *checkpoints, a *ages, maxReplay int, log *slog.Logger) *partition {
	return &partition{
		ctx: ctx, lease: l, events: events, checkpoints: c, ages: a, maxReplay: maxReplay, log: log.With("partition", l.partition),
		guilds: make(map[uint64]*guild), recent: list.New(), dirty: make(map[uint64]*guild), due: make(chan struct{}, 1),
		cold: make(map[uint64]*cold),
	}
}

// close ends all deliveries and says whether there could be any until now.
func (p *partition) close() (wasOpen bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	wasOpen, p.closed = !p.closed, true
	return wasOpen
}

// open says whether the partition is ours to deliver. A lease that has run out closes it for good:
// what would be dropped from here on must not be followed by anything. The caller holds mu.
func (p *partition) open() bool {
	if !p.closed && !p.lease.valid() {
		p.closed = true
	}
	return !p.closed && p.ctx.Err() == nil
}

// mostWaiting bounds the events that wait for their guilds to be read. At the bound, the partition stands
// still until they have been.
const mostWaiting = 4 * checkpointEvents

// handle folds a stored event and gives it to the guild's edges. Events of a guild that is not in memory
// wait there until it is needed or a checkpoint is due: a takeover reads no guild that nobody asks for.
func (p *partition) handle(d *edgev1.Delivery) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.waiting >= mostWaiting {
		p.mu.Unlock()
		p.foldCold(p.ctx)
		p.mu.Lock()
	}
	if d.GetSequence() <= p.sequence || !p.open() {
		return
	}
	id := d.GetGuildId()
	var g *guild
	if p.guilds[id] != nil {
		g = p.guild(id)
	}
	p.sequence = d.GetSequence()
	p.ages.note(d)
	p.count()
	if g == nil {
		p.reflect(d)
		c := p.chill(id)
		c.events = append(c.events, d)
		p.waiting++
		return
	}
	if d.GetSequence() > g.sequence { // otherwise the checkpoint holds it already
		p.reflect(d)
		p.event(g, d)
	}
	if early := g.early; early != nil && early.after <= p.sequence {
		g.early = nil
		p.pass(g, early)
	}
}
