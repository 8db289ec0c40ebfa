package owner

import (
	"container/list"
	"context"
	"log/slog"
	"slices"
	"sync"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/pona-realtime/pona/pkg/player"
	"github.com/pona-realtime/pona/pkg/tracing"
	edgev1 "github.com/pona-realtime/pona/proto/pona/edge/v1"
	playerv1 "github.com/pona-realtime/pona/proto/pona/player/v1"
	"github.com/pona-realtime/pona/services/fanout/route"
	"github.com/pona-realtime/pona/services/fanout/stream"
)

// A guild that nobody listens to leaves memory after quietAfter, or when more than quietGuilds of
// its partition are there. Its state is then read from its checkpoint when it is needed again.
const (
	quietAfter  = 5 * time.Minute
	quietGuilds = 10_000
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

// cold is what came for a guild that is not in memory, and waits for its state.
type cold struct {
	events   []*edgev1.Delivery // in order
	position *early             // the newest; nil for none
}

// guild is what its partition knows of it.
type guild struct {
	id       uint64
	state    *playerv1.GuildState
	sequence uint64        // of the last event folded
	trail    []uint64      // sequences of the last ones before it, in order
	saved    standing      // the checkpoint
	edges    []*route.Edge // those that get every event
	replay   *replay       // what other edges wait for; nil when none does
	early    *early        // a position that waits for its event; nil for none
	touched  time.Time
	place    *list.Element // in partition.recent
}

// early is a position that has come before the event that its bot published before it.
type early struct {
	after    uint64 // the event's sequence
	delivery *edgev1.Delivery
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
		c := p.chill(id)
		c.events = append(c.events, d)
		p.waiting++
		return
	}
	if d.GetSequence() > g.sequence { // otherwise the checkpoint holds it already
		p.event(g, d)
	}
	if early := g.early; early != nil && early.after <= p.sequence {
		g.early = nil
		p.pass(g, early.delivery)
	}
}

// event folds what comes next in a guild. The caller holds mu.
func (p *partition) event(g *guild, d *edgev1.Delivery) {
	if d.GetTraceparent() != "" {
		defer p.trace(g, d)()
	}
	ev, err := decode(d)
	if err == nil {
		err = player.Fold(g.state, ev)
	}
	if err != nil {
		p.log.Warn("an event that nobody can use is left out", "guild", g.id, "sequence", d.GetSequence(), "error", err)
		return
	}
	g.advance(d)
	p.dirty[g.id] = g
	if stored := time.Unix(0, d.GetStoredAtNs()); p.mirror != nil && time.Since(stored) < mirrorAge {
		p.mirror(g.id, ev)
	}
	for _, e := range g.edges {
		e.Event(d)
	}
	if g.replay != nil {
		g.replay.follow(d)
	}
}

// mirrorAge is how old a stored event may be that is still mirrored: a new owner folds again what lies after
// the last checkpoint, and most of that was mirrored by the one before.
const mirrorAge = 5 * time.Second

// trailLength is how many events back a guild's trail goes: more than happen at once.
const trailLength = 32

// advance makes d the guild's last event.
func (g *guild) advance(d *edgev1.Delivery) {
	d.PreviousSequence = g.sequence
	if g.sequence != 0 {
		if len(g.trail) == trailLength {
			g.trail = g.trail[:copy(g.trail, g.trail[1:])]
		}
		g.trail = append(g.trail, g.sequence)
	}
	g.sequence = d.GetSequence()
}

// next is the sequence of the guild's first event after one that is older than the last; 0 where it
// is not known.
func (g *guild) next(after uint64) uint64 {
	at, found := slices.BinarySearch(g.trail, after)
	switch {
	case !found:
		return 0
	case at+1 < len(g.trail):
		return g.trail[at+1]
	}
	return g.sequence
}

// mostCold bounds the guilds of a partition that are not in memory and whose newest position is kept.
const mostCold = 10_000

// position takes a position, which waits for the event that its bot published before it. A newer one
// takes its place. It brings no guild into memory: where nobody listens, nobody needs it.
func (p *partition) position(d *edgev1.Delivery, after uint64) {
	guildID := d.GetGuildId()
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.open() {
		return
	}
	if g := p.guilds[guildID]; g != nil {
		p.place(g, &early{after, d})
		return
	}
	if p.mirror != nil && after <= p.sequence {
		if ev, err := decode(d); err == nil {
			p.mirror(guildID, ev)
		}
	}
	if p.cold[guildID] != nil || len(p.cold) < mostCold {
		p.chill(guildID).position = &early{after, d}
	}
}

// chill gives what came for a guild that is not in memory. The caller holds mu.
func (p *partition) chill(id uint64) *cold {
	c := p.cold[id]
	if c == nil {
		c = new(cold)
		p.cold[id] = c
	}
	return c
}

// place lets a position pass, or wait for its event. The caller holds mu.
func (p *partition) place(g *guild, position *early) {
	g.early = nil
	if position.after > p.sequence {
		g.early = position
		return
	}
	p.pass(g, position.delivery)
}

// pass folds a position and gives it to the guild's edges. The caller holds mu.
func (p *partition) pass(g *guild, d *edgev1.Delivery) {
	if d.GetTraceparent() != "" {
		defer p.trace(g, d)()
	}
	ev, err := decode(d)
	if err == nil {
		err = player.Fold(g.state, ev)
	}
	if err != nil {
		p.log.Warn("a position that nobody can use is left out", "guild", g.id, "error", err)
		return
	}
	if p.mirror != nil {
		p.mirror(g.id, ev)
	}
	d.PreviousSequence = g.sequence
	for _, e := range g.edges {
		e.Position(d)
	}
}

// decode takes what stands in the stream with a grain of salt: not only this project's ingest can
// publish there.
func decode(d *edgev1.Delivery) (*playerv1.Event, error) {
	ev := new(playerv1.Event)
	if err := proto.Unmarshal(d.GetEvent(), ev); err != nil {
		return nil, err
	}
	if err := player.Validate(ev); err != nil {
		return nil, err
	}
	if ev.GetGuildId() != d.GetGuildId() {
		return nil, errForeignGuild
	}
	if _, isPosition := ev.GetKind().(*playerv1.Event_PositionUpdated); isPosition != (d.GetSequence() == 0) {
		return nil, errMisplaced
	}
	return ev, nil
}

// guild finds a guild, in memory or else in its checkpoint and in what waits for it, and marks it as used.
// It is nil when the partition is no longer open. The caller holds mu, which is let go of while the checkpoint is read.
func (p *partition) guild(id uint64) *guild {
	for {
		if g := p.guilds[id]; g != nil {
			g.touched = time.Now()
			p.recent.MoveToFront(g.place)
			return g
		}
		left := p.left
		p.mu.Unlock()
		snapshot, saved := p.load(id)
		p.mu.Lock()
		if snapshot == nil || !p.open() {
			return nil
		}
		if p.guilds[id] == nil && p.left == left { // otherwise the checkpoint may have been written since
			return p.warm(id, snapshot, saved)
		}
	}
}

// warm brings a guild into memory. The caller holds mu.
func (p *partition) warm(id uint64, snapshot *edgev1.Snapshot, saved standing) *guild {
	state := snapshot.GetState()
	if state == nil {
		state = &playerv1.GuildState{}
	}
	g := &guild{
		id: id, state: state, sequence: snapshot.GetSequence(), trail: snapshot.GetTrail(), saved: saved, touched: time.Now(),
	}
	g.place = p.recent.PushFront(g)
	p.guilds[id] = g
	if c := p.cold[id]; c != nil {
		delete(p.cold, id)
		p.waiting -= len(c.events)
		for _, d := range c.events {
			if d.GetSequence() > g.sequence {
				p.event(g, d)
			}
		}
		if c.position != nil {
			p.place(g, c.position)
		}
	}
	return g
}

// prepare brings a guild into memory, so that subscribing to it need not wait.
func (p *partition) prepare(guildID uint64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.open() {
		p.guild(guildID)
	}
}

// subscribe adds an edge to a guild: after a snapshot, or after the events it has missed.
func (p *partition) subscribe(e *route.Edge, guildID uint64, after *uint64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.open() {
		return
	}
	g := p.guild(guildID)
	if g == nil {
		return
	}
	g.forget(e)
	switch {
	case after == nil:
		e.Snapshot(g.snapshot())
		g.edges = append(g.edges, e)
	case *after >= g.sequence:
		g.edges = append(g.edges, e)
	default:
		p.catchUp(g, e, *after)
	}
}

// unsubscribe takes an edge away from a guild.
func (p *partition) unsubscribe(e *route.Edge, guildID uint64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if g := p.guilds[guildID]; g != nil {
		g.forget(e)
	}
}

func (g *guild) forget(e *route.Edge) {
	g.edges = slices.DeleteFunc(g.edges, func(other *route.Edge) bool { return other == e })
	if g.replay != nil {
		g.replay.forget(e)
	}
}

// snapshot copies the state as it is now.
func (g *guild) snapshot() *edgev1.Snapshot {
	return &edgev1.Snapshot{
		GuildId: g.id, Sequence: g.sequence, State: player.Copy(g.state), Trail: slices.Clone(g.trail),
	}
}

// dropQuiet lets guilds leave memory whose state stands in their checkpoint. The caller holds mu.
func (p *partition) dropQuiet() {
	for place := p.recent.Back(); place != nil; {
		g := place.Value.(*guild)
		if time.Since(g.touched) < quietAfter && p.recent.Len() <= quietGuilds {
			return
		}
		place = place.Prev()
		if _, dirty := p.dirty[g.id]; dirty || len(g.edges) > 0 || g.replay != nil {
			continue
		}
		p.recent.Remove(g.place)
		delete(p.guilds, g.id)
		p.left++
	}
}
