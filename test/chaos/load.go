package main

import (
	"context"
	"fmt"
	"sync"
	"time"
)

// load is the bot and everybody who listens to it.
type load struct {
	bot       *bot
	listeners []*listener
	stock     []*stock
	crowd     crowd
	group     sync.WaitGroup
	stop      context.CancelFunc
}

// crowdSize says how many there are.
type crowdSize struct {
	Guilds  int           `default:"100" help:"Guilds that play."`
	Every   time.Duration `default:"1s" help:"Time between two events of a guild."`
	Clients int           `default:"2000" help:"Listeners in Go, every fifth of them polling."`
	Stock   int           `default:"300" help:"Listeners with the official client in Node, a third each by default, on WebSocket, and polling."`
}

// startLoad starts the bot and all listeners, and returns when everybody has seen an event.
func startLoad(parent context.Context, k *stack, clients string, s crowdSize) (*load, error) {
	ctx, cancel := context.WithCancel(parent)
	l := &load{stop: cancel}
	var fanouts []string
	for _, f := range k.fanouts {
		fanouts = append(fanouts, f.address)
	}
	var err error
	if l.bot, err = startBot(ctx, fanouts, s.Guilds, s.Every); err != nil {
		cancel()
		return nil, err
	}
	for i := range s.Clients {
		l.join(ctx, k, i, s.Guilds)
	}
	if l.stock, err = startStock(clients, k.url, s.Guilds, s.Stock); err != nil {
		l.end()
		return nil, err
	}
	if missing := l.settle(ctx, time.Minute+time.Duration(s.Clients)*10*time.Millisecond); missing > 0 {
		l.end()
		return nil, fmt.Errorf("%d of %d listeners do not get their guild's events before any fault", missing, s.Clients+s.Stock)
	}
	for _, v := range l.verifiers() {
		v.take() // what came before the first fault counts for none
	}
	return l, nil
}

func (l *load) join(ctx context.Context, k *stack, i, guilds int) {
	m := &listener{verifier: &verifier{guild: firstGuild + uint64(i%guilds)}, number: i, target: k.target, polls: i%5 == 4, small: i%5 == 0, crowded: &l.crowd}
	l.listeners = append(l.listeners, m)
	l.group.Go(func() {
		select { // not all at once
		case <-time.After(time.Duration(i) * 2 * time.Millisecond):
			m.run(ctx)
		case <-ctx.Done():
		}
	})
}

func (l *load) verifiers() (all []*verifier) {
	for _, m := range l.listeners {
		all = append(all, m.verifier)
	}
	for _, s := range l.stock {
		all = append(all, s.verifiers...)
	}
	return all
}

// settle waits until every listener has what its guild has stored by now and two events more, and says
// how many have not.
func (l *load) settle(ctx context.Context, patience time.Duration) (missing int) {
	deadline := time.Now().Add(patience)
	goal := map[uint64]int{}
	for _, c := range l.bot.guilds {
		goal[c.guild] = int(c.stored.Load()) + 2 // so that it is also seen to go on
	}
	for {
		missing = 0
		for _, v := range l.verifiers() {
			if !v.has(goal[v.guild]) {
				missing++
			}
		}
		if missing == 0 || time.Now().After(deadline) || ctx.Err() != nil {
			return missing
		}
		time.Sleep(50 * time.Millisecond)
	}
}

func (l *load) end() {
	l.stop()
	l.group.Wait()
	for _, s := range l.stock {
		s.stop()
	}
	l.bot.wait()
}
