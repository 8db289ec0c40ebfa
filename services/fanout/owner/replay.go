package owner

import (
	"context"
	"errors"
	"slices"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"golang.org/x/sync/semaphore"

	edgev1 "github.com/pona-realtime/pona/proto/pona/edge/v1"
	"github.com/pona-realtime/pona/services/fanout/route"
	"github.com/pona-realtime/pona/services/fanout/stream"
)

// replayWithin bounds the reading of one guild's missed events, with NATS away in between or not;
// then edges get a snapshot instead.
const replayWithin = 30 * time.Second

// reading bounds the replays that one process reads at the same time.
var reading = semaphore.NewWeighted(atOnce)

// replay is one read of a guild's missed events, shared by all edges that ask meanwhile. Events
// that come while it is read are kept in live, so that nothing falls between.
type replay struct {
	missed  stream.Range // what is read
	waiting []waiter
	earlier []waiter           // who asked meanwhile for more than is read, and waits for the next read
	live    []*edgev1.Delivery // what follows
	bytes   int                // of live
}

type waiter struct {
	edge  *route.Edge
	after uint64
}

// catchUp gives the edge the events after a sequence and then adds it to the guild. The caller
// holds mu, and the guild has events after it.
func (p *partition) catchUp(g *guild, e *route.Edge, after uint64) {
	w := waiter{e, after}
	switch r := g.replay; {
	case r == nil:
		p.startReplay(g, []waiter{w})
	case after >= r.missed.After:
		r.waiting = append(r.waiting, w)
	default:
		r.earlier = append(r.earlier, w)
	}
}

// startReplay reads what these edges have missed, in the background. The caller holds mu.
func (p *partition) startReplay(g *guild, waiting []waiter) {
	after := waiting[0].after
	for _, w := range waiting {
		after = min(after, w.after)
	}
	r := &replay{waiting: waiting, missed: stream.Range{
		GuildID: g.id, After: after, Next: g.next(after), UpTo: g.sequence, MaxBytes: p.maxReplay,
	}}
	g.replay = r
	p.replays.Go(func() {
		events, err := p.history(r.missed)
		p.mu.Lock()
		defer p.mu.Unlock()
		g.replay = nil
		if !p.open() {
			return
		}
		p.finish(g, r, events, err)
		if len(r.earlier) > 0 {
			p.startReplay(g, r.earlier)
		}
	})
}

// history reads what edges have missed.
func (p *partition) history(missed stream.Range) (events []*edgev1.Delivery, err error) {
	ctx, cancel := context.WithTimeout(p.ctx, replayWithin)
	defer cancel()
	if err := reading.Acquire(ctx, 1); err != nil {
		return nil, err
	}
	defer reading.Release(1)
	whole := false
	if !p.insist(ctx, "reading what edges have missed", func() (err error) {
		asking, cancel := context.WithTimeout(ctx, 3*answerWithin)
		defer cancel()
		events, whole, err = p.events.History(asking, missed)
		return err
	}) {
		return nil, ctx.Err()
	}
	if !whole {
		return nil, errGone
	}
	return events, nil
}

// finish gives every edge that waits what it has missed, or a snapshot where that is not to be
// had, and adds it to the guild. The caller holds mu.
func (p *partition) finish(g *guild, r *replay, events []*edgev1.Delivery, err error) {
	if err == nil && r.bytes > r.missed.MaxBytes {
		err = errTooMuch
	}
	if err != nil {
		p.log.Debug("edges get a snapshot instead of what they missed", "guild", g.id, "edges", len(r.waiting), "reason", err)
	}
	events = chain(events, r.missed.After)
	if err == nil {
		defer p.traceAgain(g, r, events)()
	}
	for _, w := range r.waiting {
		if err != nil {
			g.startOver(w.edge)
			continue
		}
		for _, missed := range [][]*edgev1.Delivery{events, r.live} {
			for _, d := range missed {
				if d.GetSequence() > w.after {
					w.edge.Event(d)
				}
			}
		}
		g.edges = append(g.edges, w.edge)
	}
}

// traceAgain begins the spans of events that edges have missed, beside those of the edges that had them in time.
func (p *partition) traceAgain(g *guild, r *replay, events []*edgev1.Delivery) (end func()) {
	var ends []func()
	for _, d := range events {
		if d.GetTraceparent() == "" {
			continue
		}
		edges := 0
		for _, w := range r.waiting {
			if d.GetSequence() > w.after {
				edges++
			}
		}
		if edges > 0 {
			ends = append(ends, p.trace(g, d, edges, attribute.Bool("pona.replayed", true)))
		}
	}
	return func() {
		for _, end := range ends {
			end()
		}
	}
}

// chain leaves out of a history what was left out when it came, and says of each event which one is
// before it.
func chain(events []*edgev1.Delivery, previous uint64) []*edgev1.Delivery {
	return slices.DeleteFunc(events, func(d *edgev1.Delivery) bool {
		if _, err := decode(d); err != nil {
			return true
		}
		d.PreviousSequence, previous = previous, d.GetSequence()
		return false
	})
}

// startOver tells the edge that events are missing, gives it the state instead, and adds it.
func (g *guild) startOver(e *route.Edge) {
	e.Reset(g.id)
	e.Snapshot(g.snapshot())
	g.edges = append(g.edges, e)
}

// follow keeps an event that came while older ones are read. Beyond the limit they are dropped, and
// edges will get a snapshot.
func (r *replay) follow(d *edgev1.Delivery) {
	if r.bytes += len(d.GetEvent()); r.bytes > r.missed.MaxBytes {
		r.live = nil
		return
	}
	r.live = append(r.live, d)
}

func (r *replay) forget(e *route.Edge) {
	is := func(w waiter) bool { return w.edge == e }
	r.waiting, r.earlier = slices.DeleteFunc(r.waiting, is), slices.DeleteFunc(r.earlier, is)
}

var (
	errGone         = errors.New("older events are no longer kept, or are too many")
	errTooMuch      = errors.New("too much came while older events were read")
	errForeignGuild = errors.New("it was published for another guild than it names")
	errMisplaced    = errors.New("positions are not stored, and nothing else is sent beside the stream")
)
