package owner

import (
	"cmp"
	"context"
	"errors"
	"time"

	"github.com/nats-io/nats.go/jetstream"
	"golang.org/x/sync/errgroup"
)

// atOnce bounds the requests to NATS that one round, flush or stop makes at the same time.
const atOnce = 16

// tenure is a lease and what is done with it.
type tenure struct {
	lease     *lease
	partition *partition
	cancel    context.CancelFunc // ends takeover and partition
	ended     chan struct{}      // closed when both have ended

	announced bool // guarded by Owner.mu: edges have been told
	leaving   bool // guarded by Owner.mu: a hand-over is under way
}

// Run holds a share of the partitions until ctx ends, then hands them over. It returns when
// nothing of it runs any more; stopping takes at most stopWithin.
func (o *Owner) Run(ctx context.Context, stopWithin time.Duration) error {
	background, stop := context.WithCancel(context.WithoutCancel(ctx))
	var watching errgroup.Group
	watching.Go(func() error { return o.watch(background) })
	watching.Go(func() error {
		insist(background, o.log, "reading events", func() error { return o.events.Load().Run(background) })
		return nil
	})
	o.campaign(ctx, background)

	bounded, cancel := context.WithTimeout(background, stopWithin)
	o.leave(bounded)
	cancel()
	stop()
	o.tasks.Wait()
	return watching.Wait()
}

// watch keeps members up to date, however often the watcher ends.
func (o *Owner) watch(ctx context.Context) error {
	for ctx.Err() == nil {
		if err := o.members.watch(ctx, o.leases); err != nil && ctx.Err() == nil {
			o.log.Warn("watching leases", "error", err)
		}
		pause(ctx, o.options.LeaseTTL/4)
	}
	return nil
}

// campaign renews and decides until ctx ends. What it starts lives as long as background.
//
// Leases are renewed each third of their TTL, and an answer is waited for as long at most: when one round is not
// answered at all, the next begins a third before the leases run out. Trouble with two rounds costs the leases.
func (o *Owner) campaign(ctx, background context.Context) {
	tick := time.NewTicker(o.options.LeaseTTL / 12)
	defer tick.Stop()
	renewed := time.Time{}
	for ctx.Err() == nil {
		if time.Since(renewed) > o.options.LeaseTTL*7/24 { // with the tick after that, a third of the TTL
			renewed = time.Now()
			if err := o.renew(ctx); err != nil && ctx.Err() == nil {
				o.log.Warn("renewing leases", "error", err)
			}
		}
		o.endLost()
		o.decide(ctx, background)
		select {
		case <-ctx.Done():
		case <-tick.C:
		case <-o.members.changed:
		}
	}
}

// renew says that this fanout lives, and renews its leases: all is asked in one go, so that it takes one write
// and few wake-ups, and then the answers are heard. What runs at the same time waits for it less than for as many
// requests, one after another.
func (o *Owner) renew(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, o.options.LeaseTTL/3)
	defer cancel()
	present, err := publish(o.publisher, "fanout."+o.options.ID, o.options.ID)
	if err != nil {
		return err
	}
	var renewals []*renewal
	for _, t := range o.tenures() {
		r, unsent := t.lease.ask(o.publisher)
		if unsent != nil {
			err = unsent
		}
		if r != nil {
			renewals = append(renewals, r)
		}
	}
	_, unheard := await(ctx, present)
	err = cmp.Or(err, unheard)
	var again errgroup.Group
	again.SetLimit(atOnce)
	for _, r := range renewals {
		revision, answer := await(ctx, r.answer)
		if lost(answer) {
			again.Go(func() error { return r.again(ctx, answer) })
			continue
		}
		err = cmp.Or(err, r.hear(revision, answer))
	}
	if unheard := again.Wait(); !lost(unheard) { // a lost lease is ended by endLost
		err = cmp.Or(err, unheard)
	}
	return err
}

// endLost ends what is no longer ours: leases that ran out, or that the bucket gave to another. A
// partition that is being handed over ends by that.
func (o *Owner) endLost() {
	for _, t := range o.tenures() {
		if t.lease.valid() || o.isLeaving(t) {
			continue
		}
		o.measured.lost.Inc()
		o.log.Warn("lost a lease", "partition", t.lease.partition, "epoch", t.lease.epoch)
		t.cancel()
		t.partition.close()
		o.withdraw(t)
	}
}

// decide asks for the leases that should be ours, and starts to hand over those that should not.
func (o *Owner) decide(ctx, background context.Context) {
	live := o.members.live()
	ctx, cancel := context.WithTimeout(ctx, o.options.LeaseTTL/3)
	defer cancel()
	var group errgroup.Group
	group.SetLimit(atOnce)
	for number := range o.count {
		winner := rendezvous(live, number)
		t := o.tenure(number)
		switch {
		case t == nil && winner == o.options.ID && o.members.free(number):
			group.Go(func() error { return o.acquire(ctx, background, number) })
		case t != nil && winner != o.options.ID && o.members.settled(winner):
			o.startHandover(background, t)
		}
	}
	if err := group.Wait(); err != nil && ctx.Err() == nil {
		o.log.Warn("asking for leases", "error", err)
	}
}

// acquire asks for a lease and, if it is granted, starts to take the partition over.
func (o *Owner) acquire(ctx, background context.Context, number uint32) error {
	granted, err := acquire(ctx, o.leases, number, o.options.ID, o.options.LeaseTTL)
	if errors.Is(err, jetstream.ErrKeyExists) {
		return nil
	}
	if err != nil {
		return err
	}
	began := time.Now()
	running, cancel := context.WithCancel(background)
	t := &tenure{
		lease: granted, cancel: cancel, ended: make(chan struct{}),
		partition: newPartition(running, granted, o.events.Load(), o.checkpoints, o.ages, o.options.MaxReplayBytes, o.log),
	}
	t.partition.mirror, t.partition.tooOld, t.partition.tracer = o.options.Mirror, o.measured.tooOld, o.options.Tracer
	o.mu.Lock()
	o.held[number] = t
	o.mu.Unlock()
	o.tasks.Go(func() {
		defer close(t.ended)
		defer cancel()
		t.partition.run(running, o.options.CheckpointInterval, func() {
			o.measured.takeovers.Observe(time.Since(began).Seconds())
			o.announce(t)
		})
	})
	return nil
}

// startHandover gives the partition to the fanout that should have it, in the background.
func (o *Owner) startHandover(background context.Context, t *tenure) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if t.leaving || !t.announced { // one that is being taken over is handed on when it is complete
		return
	}
	t.leaving = true
	o.tasks.Go(func() { o.handover(background, t) })
}

// handover stops a partition after its last event, stores its checkpoint, and gives its lease back.
func (o *Owner) handover(ctx context.Context, t *tenure) {
	t.partition.checkpoint(ctx) // most of it while events still flow
	t.cancel()
	<-t.ended
	if t.partition.close() {
		t.partition.checkpoint(ctx)
	}
	if err := t.lease.giveBack(ctx); err != nil && !lost(err) {
		o.log.Warn("giving a lease back", "partition", t.lease.partition, "error", err)
	}
	o.withdraw(t)
}

// leave hands everything over, after saying that this fanout asks for nothing any more.
func (o *Owner) leave(ctx context.Context) {
	if err := o.leases.Delete(ctx, "fanout."+o.options.ID); err != nil {
		o.log.Warn("leaving the cluster; its other fanouts wait for the leases to run out", "error", err)
	}
	var group errgroup.Group
	group.SetLimit(atOnce)
	for _, t := range o.tenures() {
		o.mu.Lock()
		busy := t.leaving
		t.leaving = true
		o.mu.Unlock()
		if !busy {
			group.Go(func() error { o.handover(ctx, t); return nil })
		}
	}
	_ = group.Wait() // what went wrong has been logged
}

func (o *Owner) tenures() []*tenure {
	o.mu.Lock()
	defer o.mu.Unlock()
	all := make([]*tenure, 0, len(o.held))
	for _, t := range o.held {
		all = append(all, t)
	}
	return all
}

func (o *Owner) isLeaving(t *tenure) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return t.leaving
}

func (o *Owner) tenure(number uint32) *tenure {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.held[number]
}

// lost says whether err means that somebody else wrote the key since, or that it ran out.
func lost(err error) bool {
	var answer *jetstream.APIError
	if errors.As(err, &answer) && (answer.ErrorCode == jetstream.JSErrCodeStreamWrongLastSequence ||
		answer.ErrorCode == jetstream.JSErrCodeStreamWrongLastSequenceConstant) {
		return true
	}
	return errors.Is(err, jetstream.ErrKeyRevisionMismatch) || errors.Is(err, jetstream.ErrKeyExists) || gone(err)
}

// pause waits for so long, or until ctx ends.
func pause(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-timer.C:
	}
}
