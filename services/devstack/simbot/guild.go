package simbot

import (
	"context"
	"time"
)

// maxWaiting is how many commands may wait for a guild; more are refused as busy.
const maxWaiting = 16

// order is a command on its way to its guild.
type order struct {
	command
	// answer is called once, from any goroutine and without blocking it: with the reason of a
	// refusal, or with the sequence of the last event the command made (0 when it made none).
	answer func(sequence uint64, refusal error)
}

// guild owns one player: its goroutine, run, is the only one that touches it.
type guild struct {
	about     Guild
	catalogue *catalogue
	seed      uint64
	orders    chan order
	publisher *publisher
}

func newGuild(c *catalogue, g Guild, seed uint64, to *publisher) *guild {
	return &guild{about: g, catalogue: c, seed: seed, orders: make(chan order, maxWaiting), publisher: to}
}

// run lets the music play and obeys orders until ctx ends.
func (g *guild) run(ctx context.Context) {
	p := newPlayer(g.catalogue, g.about, g.seed, time.Now())
	g.publisher.publish(ctx, p.take(), nil)
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		var wake <-chan time.Time
		if due := p.due(); !due.IsZero() {
			timer.Reset(time.Until(due))
			wake = timer.C
		}
		select {
		case <-ctx.Done():
			return
		case <-wake:
			p.advance(time.Now())
			g.publisher.publish(ctx, p.take(), nil)
		case o := <-g.orders:
			g.obey(ctx, p, o)
		}
	}
}

// obey carries out an order and answers it when what came of it is stored.
func (g *guild) obey(ctx context.Context, p *player, o order) {
	now := time.Now()
	p.advance(now)
	if err := p.obey(o.command, now); err != nil {
		g.publisher.publish(ctx, p.take(), nil)
		o.answer(0, err)
		return
	}
	g.publisher.publish(ctx, p.take(), func(sequence uint64) { o.answer(sequence, nil) })
}
