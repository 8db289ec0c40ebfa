package main

import (
	"context"
	"fmt"
	"time"
)

// load is the bot and everybody who listens to it.
type load struct {
	size   crowdSize
	edges  []server
	bot    *bot
	crowds []*crowdProcess
	few    int // of them, without those that swell has brought
	stock  []*stock
	stop   context.CancelFunc
}

// crowdSize says how many there are.
type crowdSize struct {
	Guilds  int           `default:"100" help:"Guilds that play."`
	Every   time.Duration `default:"1s" help:"Time between two events of a guild."`
	Clients int           `default:"2000" help:"Listeners in Go, every fifth of them polling."`
	Stock   int           `default:"300" help:"Listeners with the official client in Node, a third each by default, on WebSocket, and polling."`
	Many    int           `default:"20000" help:"Listeners in Go while an edge of many is drained; those beyond --clients all on WebSocket."`
	Pace    float64       `default:"500" help:"Connections that listeners in Go begin in a second at first."`
}

// startLoad starts the bot and all listeners, and returns when everybody has seen an event.
func startLoad(parent context.Context, k *stack, clients string, s crowdSize) (*load, error) {
	ctx, cancel := context.WithCancel(parent)
	l := &load{size: s, stop: cancel, edges: k.edgeServers()}
	if err := l.start(ctx, k, clients); err != nil {
		l.end()
		return nil, err
	}
	return l, nil
}

func (l *load) start(ctx context.Context, k *stack, clients string) (err error) {
	var fanouts []string
	for _, f := range k.fanouts {
		fanouts = append(fanouts, f.Address)
	}
	if l.bot, err = startBot(ctx, fanouts, l.size.Guilds, l.size.Every); err != nil {
		return err
	}
	if l.crowds, err = startCrowd(CrowdPlan{Edges: l.edges, Clients: l.size.Clients, Guilds: l.size.Guilds, Polls: 5, Rate: l.size.Pace}); err != nil {
		return err
	}
	if l.stock, err = startStock(clients, k.url, l.size.Guilds, l.size.Stock); err != nil {
		return err
	}
	return l.arrive(ctx, l.size.Clients)
}

// arrive waits until everybody is there, n of them new. What came meanwhile counts for no fault.
func (l *load) arrive(ctx context.Context, n int) error {
	missing, err := l.settle(ctx, time.Minute+time.Duration(n)*10*time.Millisecond)
	if err != nil {
		return err
	}
	if missing > 0 {
		return fmt.Errorf("%d listeners do not get their guild's events before any fault", missing)
	}
	_, err = l.take()
	return err
}

// swell brings listeners in Go up to many, and slows the bot down so that deliveries do not multiply
// likewise. shrink undoes it.
func (l *load) swell(ctx context.Context) error {
	l.bot.slow(5)
	l.few = len(l.crowds)
	more := l.size.Many - l.size.Clients
	extra, err := startCrowd(CrowdPlan{Edges: l.edges, First: l.size.Clients, Clients: more, Guilds: l.size.Guilds, Rate: l.size.Pace})
	l.crowds = append(l.crowds, extra...)
	if err != nil {
		return err
	}
	return l.arrive(ctx, more)
}

func (l *load) shrink() {
	for _, c := range l.crowds[l.few:] {
		c.stop()
	}
	l.crowds = l.crowds[:l.few]
	l.bot.slow(1)
}

func (l *load) audiences() (all []audience) {
	for _, c := range l.crowds {
		all = append(all, c)
	}
	for _, s := range l.stock {
		all = append(all, s)
	}
	return all
}

// take sums up what all listeners saw since the last call.
func (l *load) take() (sum Tally, err error) {
	for _, a := range l.audiences() {
		t, err := a.take()
		if err != nil {
			return sum, err
		}
		sum.add(t)
	}
	return sum, nil
}

func (l *load) cut() error {
	for _, a := range l.audiences() {
		if err := a.cut(); err != nil {
			return err
		}
	}
	return nil
}

// settle waits until every listener has what its guild has stored by now and two events more, and says
// how many have not.
func (l *load) settle(ctx context.Context, patience time.Duration) (missing int, err error) {
	deadline := time.Now().Add(patience)
	goals := map[uint64]int{}
	for _, c := range l.bot.guilds {
		goals[c.guild] = int(c.stored.Load()) + 2 // so that it is also seen to go on
	}
	for {
		missing = 0
		for _, a := range l.audiences() {
			n, err := a.missing(goals)
			if err != nil {
				return missing, err
			}
			missing += n
		}
		if missing == 0 || time.Now().After(deadline) || ctx.Err() != nil {
			return missing, nil
		}
		pause(ctx, 50*time.Millisecond)
	}
}

func (l *load) end() {
	l.stop()
	for _, a := range l.audiences() {
		a.stop()
	}
	if l.bot != nil {
		l.bot.wait()
	}
}
