package gateway

import (
	"time"

	"github.com/maypok86/otter/v2"
	"golang.org/x/time/rate"
)

// Rates bound how fast commands come, in commands a second over some time; twice as many may come at once.
// A command over a bound is acknowledged with the reason "rate limited", and no bot hears of it. Each edge
// counts for itself.
type Rates struct {
	Socket  float64 // of one socket; 0 means no bound
	User    float64 // of all sockets of one user, in all guilds; 0 means no bound
	Guild   float64 // of all sockets of one guild; 0 means no bound
	Strikes int     // commands refused for the first two in a minute, after which the socket is disconnected; 0 means never
}

const (
	maxBuckets  = 100_000     // users, and as many guilds, whose rate is known; the least used go first
	bucketsIdle = time.Minute // after which a bucket is full again, whatever its rate above 1/60
)

// buckets are those of one kind, by id.
type buckets struct {
	perSecond float64
	limiters  *otter.Cache[uint64, *rate.Limiter] // nil without a bound
}

func newBuckets(perSecond float64) buckets {
	b := buckets{perSecond: perSecond}
	if perSecond > 0 {
		b.limiters = otter.Must(&otter.Options[uint64, *rate.Limiter]{
			MaximumSize: maxBuckets, ExpiryCalculator: otter.ExpiryAccessing[uint64, *rate.Limiter](bucketsIdle),
		})
	}
	return b
}

func (b buckets) close() {
	if b.limiters != nil {
		b.limiters.StopAllGoroutines()
	}
}

// allow takes a token of one id's bucket, if there is one.
func (b buckets) allow(id uint64) bool {
	if b.limiters == nil {
		return true
	}
	limiter, _ := b.limiters.ComputeIfAbsent(id, func() (*rate.Limiter, bool) { return newLimiter(b.perSecond), false })
	return limiter.Allow()
}

func newLimiter(perSecond float64) *rate.Limiter {
	return rate.NewLimiter(rate.Limit(perSecond), max(int(2*perSecond), 1))
}

// pace is one socket's. Its zero value has sent no command. Used by the socket's reader alone.
type pace struct {
	commands, strikes *rate.Limiter
}

// allow tells whether a command of the listener may go on, and if not, whether its socket has had enough
// warnings.
func (g *Gateway) allow(l *listener) (ok, enough bool) {
	r := g.options.Rates
	if l.pace.commands == nil {
		l.pace.commands, l.pace.strikes = rate.NewLimiter(rate.Inf, 0), rate.NewLimiter(rate.Inf, 0)
		if r.Socket > 0 {
			l.pace.commands = newLimiter(r.Socket)
		}
		if r.Strikes > 0 {
			l.pace.strikes = rate.NewLimiter(rate.Limit(float64(r.Strikes)/60), r.Strikes)
		}
	}
	if !l.pace.commands.Allow() || !g.users.allow(l.userID) {
		return false, !l.pace.strikes.Allow()
	}
	return g.byGuild.allow(l.guildID), false // a busy guild is no fault of this socket
}
