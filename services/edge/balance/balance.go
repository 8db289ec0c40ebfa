// Package balance compares the sessions of the cluster's edges, and says when one of them has far more
// than its share: after new edges have come, balancers bring them new clients only.
//
// The edges tell each other through one hash in Redis. Without Redis nothing is compared and nobody moves.
package balance

import (
	"context"
	"log/slog"
	"time"

	"github.com/redis/go-redis/v9"
)

// Options tune a [Balance]; all but Log are required.
type Options struct {
	Redis     redis.Scripter
	Edge      string        // names this edge; unique in the cluster
	Tolerance float64       // by which an edge may be above the mean, such as 0.2
	Rate      float64       // sessions that are moved in a second, at most
	Interval  time.Duration // between two comparisons
	Log       *slog.Logger  // nil means none

	Sessions func() int                                  // of this edge
	Shed     func(ctx context.Context, fraction float64) // moves a share of them away, within Interval
}

// atLeast is how many sessions above the mean are too few to move.
const atLeast = 20

// Balance is one edge's part.
type Balance struct{ options Options }

// New makes a balance that [Balance.Run] runs.
func New(o Options) *Balance {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	return &Balance{o}
}

// Run compares until ctx ends, then takes this edge out of the comparison. It moves sessions only
// when the edge has been above its share twice in a row.
func (b *Balance) Run(ctx context.Context) {
	defer b.leave(context.WithoutCancel(ctx))
	tick := time.NewTicker(b.options.Interval)
	defer tick.Stop()
	before := 0.0
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		own := b.options.Sessions()
		counts, err := b.exchange(ctx, own)
		if err != nil {
			before = 0
			continue // the watch over Redis says so
		}
		excess := b.excess(own, counts)
		if excess > 0 && before > 0 {
			b.options.Log.Info("moving sessions to edges with fewer", "sessions", own, "edges", len(counts), "fraction", excess)
			b.options.Shed(ctx, excess)
		}
		before = excess
	}
}

// excess is the share of this edge's sessions that should move now: half of what is above the mean,
// or as much as the rate allows; 0 for none.
func (b *Balance) excess(own int, counts []int) float64 {
	sum := 0
	for _, n := range counts {
		sum += n
	}
	mean := float64(sum) / float64(max(len(counts), 1))
	above := float64(own) - mean
	if above < atLeast || above < mean*b.options.Tolerance {
		return 0
	}
	return min(above/2, b.options.Rate*b.options.Interval.Seconds()) / float64(own)
}

// table is the hash of "<sessions>:<seconds since 1970>" by edge.
const table = "pona:edges"

// tell writes the sessions (ARGV[2]) of an edge (ARGV[1]) and gives those of all that have done so
// within ARGV[3] seconds, by the clock of Redis.
var tell = redis.NewScript(`
local now = tonumber(redis.call('TIME')[1])
redis.call('HSET', KEYS[1], ARGV[1], ARGV[2] .. ':' .. now)
local counts, all = {}, redis.call('HGETALL', KEYS[1])
for i = 1, #all, 2 do
	local count, at = string.match(all[i + 1], '^(%d+):(%d+)$')
	if count and now - tonumber(at) <= tonumber(ARGV[3]) then
		counts[#counts + 1] = tonumber(count)
	else
		redis.call('HDEL', KEYS[1], all[i])
	end
end
return counts`)

func (b *Balance) exchange(ctx context.Context, own int) ([]int, error) {
	ctx, cancel := context.WithTimeout(ctx, b.options.Interval)
	defer cancel()
	silence := 3*b.options.Interval + time.Second
	all, err := tell.Run(ctx, b.options.Redis, []string{table}, b.options.Edge, own, int(silence.Seconds())).Int64Slice()
	counts := make([]int, len(all))
	for i, n := range all {
		counts[i] = int(n)
	}
	return counts, err
}

var forget = redis.NewScript(`return redis.call('HDEL', KEYS[1], ARGV[1])`)

// leave takes this edge out; where that fails, silence does.
func (b *Balance) leave(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	_ = forget.Run(ctx, b.options.Redis, []string{table}, b.options.Edge).Err()
}
