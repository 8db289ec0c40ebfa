package app

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"sync"
	"time"

	"github.com/pona-realtime/pona/pkg/engineio"
	"github.com/pona-realtime/pona/services/edge/balance"
)

// quickly is how many sessions in a second an edge moves away when it stops, though there were time
// to do it more slowly: few clients need not wait for a place that is free.
const quickly = 200

// drain moves all clients away before the edge stops, its own and those whose WebSockets it carries to other edges. It
// accepts new ones for a moment, until balancers have seen that it is not ready. Clients that are left when ctx ends
// are cut afterwards.
func (a *App) drain(ctx context.Context) error {
	select {
	case <-time.After(a.settings.DrainDelay):
	case <-ctx.Done():
	}
	sessions, relayed := a.server.Len(), a.relay.Len()
	rate := max(quickly, float64(max(sessions, relayed))/(0.9*a.settings.Drain.Seconds()))
	var beside sync.WaitGroup
	beside.Go(func() {
		if moved := a.relay.Drain(ctx, rate); relayed > 0 {
			a.log.Info("clients of other edges have been let go of", "sessions", relayed, "moved", moved)
		}
	})
	defer beside.Wait()
	moved, err := a.server.Drain(ctx, engineio.DrainOptions{Rate: rate})
	if err != nil {
		a.log.Warn("not all clients could be moved away in time", "sessions", sessions, "moved", moved, "reason", err)
	} else if sessions > 0 {
		a.log.Info("all clients have been moved away", "sessions", moved)
	}
	return nil
}

// rebalance is POST /admin/rebalance: it moves a fraction of the sessions to other edges, over some time,
// and answers at once. It is refused while another one is under way.
type rebalance struct {
	app     *App
	ctx     context.Context // of what is under way
	running sync.WaitGroup
	busy    sync.Mutex
}

const mostOver = time.Hour // that a rebalance may last

func (b *rebalance) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	fraction, err := strconv.ParseFloat(r.FormValue("fraction"), 64)
	if err != nil || !(fraction > 0 && fraction <= 1) {
		tell(w, http.StatusBadRequest, fmt.Sprintf("fraction: %q, must be more than 0 and at most 1", r.FormValue("fraction")))
		return
	}
	over := 10 * time.Second
	if text := r.FormValue("over"); text != "" {
		if over, err = time.ParseDuration(text); err != nil || over <= 0 || over > mostOver {
			tell(w, http.StatusBadRequest, fmt.Sprintf("over: %q, must be a time up to %s", text, mostOver))
			return
		}
	}
	if !b.busy.TryLock() {
		tell(w, http.StatusConflict, "another rebalance is under way")
		return
	}
	b.running.Go(func() {
		defer b.busy.Unlock()
		b.app.shed(b.ctx, fraction, over)
	})
	tell(w, http.StatusAccepted, fmt.Sprintf("moving %.3g of %d sessions within %s", fraction, b.app.server.Len(), over))
}

func tell(w http.ResponseWriter, code int, message string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(code)
	_ = json.NewEncoder(w).Encode(struct { // who asked has gone, and needs no answer
		Message string `json:"message"`
	}{message})
}

// shed moves a fraction of the sessions away, evenly over a time. New ones are still accepted.
func (a *App) shed(ctx context.Context, fraction float64, over time.Duration) {
	ctx, cancel := context.WithTimeout(ctx, over+time.Second)
	defer cancel()
	rate := max(1, fraction*float64(a.server.Len())/over.Seconds())
	moved, err := a.server.Drain(ctx, engineio.DrainOptions{Rate: rate, Fraction: fraction, Accept: true})
	a.log.Info("moved sessions to other edges", "sessions", moved, "fraction", fraction, "reason", err)
}

// balance compares this edge with the others until ctx ends, where the settings say so.
func (a *App) balance(ctx context.Context) {
	if a.redis == nil || a.settings.Rebalance == 0 {
		return
	}
	interval := a.settings.RebalanceInterval
	balance.New(balance.Options{
		Redis: a.redis.Client, Edge: a.id, Tolerance: a.settings.Rebalance, Rate: a.settings.RebalanceRate, Interval: interval,
		Log: a.component("balance"), Sessions: a.server.Len,
		Shed: func(ctx context.Context, fraction float64) { a.shed(ctx, fraction, interval) },
	}).Run(ctx)
}
