// Package admission bounds how fast and how many clients come in: sessions to this edge and from one
// address, sockets of one user, and sockets in one guild.
//
// A guild's bounds hold for the whole cluster, by way of Redis; while that is away, for each edge by
// itself. All others are an edge's own. A bound of 0 is none. What is refused hears after which time to
// try again, jittered, so that those refused together do not come back together.
package admission

import (
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"github.com/maypok86/otter/v2"
	"github.com/redis/go-redis/v9"
	"golang.org/x/time/rate"
)

// Options tune an [Admission].
type Options struct {
	Rate         float64        // new sessions a second
	AddressRate  float64        // new sessions a second from one client address
	Proxies      []netip.Prefix // whose X-Forwarded-For is believed
	UserSockets  int            // sockets of one user in guilds
	GuildRate    int            // sockets that join one guild in a second
	GuildSockets int            // sockets in one guild

	Redis redis.Scripter // of the cluster; nil: this edge is alone
	Edge  string         // names this edge; unique in the cluster
	Log   *slog.Logger   // Redis coming and going; nil means none
}

// maxAddresses bounds the client addresses whose rate is remembered; one that is forgotten begins anew.
const maxAddresses = 100_000

// Refusal says why a client may not come in now.
type Refusal struct {
	Cause      string        // rate, address, user, guild rate or guild
	RetryAfter time.Duration // a jittered guess
}

func (r *Refusal) Error() string { return "too many connections: " + r.Cause }

// Causes are all that a Refusal may have.
var Causes = []string{"rate", "address", "user", "guild rate", "guild"}

// Admission decides. All methods may be called at the same time.
type Admission struct {
	options   Options
	rate      *rate.Limiter                           // nil for no bound
	addresses *otter.Cache[netip.Addr, *rate.Limiter] // nil for no bound
	refused   map[string]*atomic.Uint64
	shared    *shared // nil without Redis

	mu     sync.Mutex
	users  map[uint64]int      // sockets
	guilds map[uint64]*guild   // that have sockets
	left   map[uint64]struct{} // guilds that somebody has left since the cluster was told
}

// guild is one guild's sockets on this edge.
type guild struct {
	sockets int
	rate    *rate.Limiter // for while the cluster cannot be asked
}

// New makes an admission; [Admission.Run] must run while it is used.
func New(o Options) *Admission {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	a := &Admission{options: o, refused: make(map[string]*atomic.Uint64), users: make(map[uint64]int), guilds: make(map[uint64]*guild), left: make(map[uint64]struct{})}
	for _, cause := range Causes {
		a.refused[cause] = new(atomic.Uint64)
	}
	if o.Rate > 0 {
		a.rate = limiter(o.Rate)
	}
	if o.AddressRate > 0 {
		a.addresses = otter.Must(&otter.Options[netip.Addr, *rate.Limiter]{
			MaximumSize: maxAddresses, ExpiryCalculator: otter.ExpiryAccessing[netip.Addr, *rate.Limiter](time.Minute),
			Logger: &otter.NoopLogger{},
		})
	}
	if o.Redis != nil && (o.GuildRate > 0 || o.GuildSockets > 0) {
		a.shared = &shared{redis: o.Redis, edge: o.Edge, log: o.Log}
	}
	return a
}

// limiter lets through what comes within one second, at once.
func limiter(perSecond float64) *rate.Limiter {
	return rate.NewLimiter(rate.Limit(perSecond), max(1, int(perSecond)))
}

// Run keeps what the cluster knows of this edge's guilds up to date, until ctx ends.
func (a *Admission) Run(ctx context.Context) {
	if a.addresses != nil {
		defer a.addresses.StopAllGoroutines()
	}
	if a.shared == nil {
		<-ctx.Done()
		return
	}
	often, seldom := time.NewTicker(time.Second), time.NewTicker(believed/3)
	defer often.Stop()
	defer seldom.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-often.C:
			a.shared.tell(ctx, a.departures())
		case <-seldom.C:
			a.shared.tell(ctx, a.counts())
		}
	}
}

// Refused counts refusals since the start, by cause.
func (a *Admission) Refused(cause string) uint64 { return a.refused[cause].Load() }

// Join lets a user's socket into a guild; leave must be called when it is gone. The error is a *Refusal.
func (a *Admission) Join(ctx context.Context, guildID, userID uint64) (leave func(), err error) {
	sockets, g, full := a.enter(guildID, userID)
	if full {
		return nil, a.refuse("user", time.Minute)
	}
	cause := ""
	if a.options.GuildRate > 0 || a.options.GuildSockets > 0 {
		known := false
		if a.shared != nil {
			cause, known = a.shared.join(ctx, guildID, sockets, a.options.GuildSockets, a.options.GuildRate)
		}
		if !known {
			cause = a.alone(g, sockets)
		}
	}
	switch cause {
	case "guild rate":
		a.leave(guildID, userID)
		return nil, a.refuse(cause, time.Second)
	case "guild":
		a.leave(guildID, userID)
		return nil, a.refuse(cause, time.Minute)
	}
	return sync.OnceFunc(func() { a.leave(guildID, userID) }), nil
}

// enter counts a socket, unless its user has too many.
func (a *Admission) enter(guildID, userID uint64) (sockets int, g *guild, full bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.options.UserSockets > 0 && a.users[userID] >= a.options.UserSockets {
		return 0, nil, true
	}
	a.users[userID]++
	if g = a.guilds[guildID]; g == nil {
		g = &guild{}
		if a.options.GuildRate > 0 {
			g.rate = limiter(float64(a.options.GuildRate))
		}
		a.guilds[guildID] = g
	}
	g.sockets++
	return g.sockets, g, false
}

// leave takes back what enter counted.
func (a *Admission) leave(guildID, userID uint64) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.users[userID]--; a.users[userID] <= 0 {
		delete(a.users, userID)
	}
	if g := a.guilds[guildID]; g != nil {
		if g.sockets--; g.sockets <= 0 {
			delete(a.guilds, guildID)
		}
	}
	if a.shared != nil {
		a.left[guildID] = struct{}{}
	}
}

// alone is the decision over a guild by what this edge knows.
func (a *Admission) alone(g *guild, sockets int) (cause string) {
	switch {
	case a.options.GuildSockets > 0 && sockets > a.options.GuildSockets:
		return "guild"
	case g.rate != nil && !g.rate.Allow():
		return "guild rate"
	}
	return ""
}

// counts are this edge's sockets by guild.
func (a *Admission) counts() map[uint64]int {
	a.mu.Lock()
	defer a.mu.Unlock()
	counts := make(map[uint64]int, len(a.guilds))
	for guildID, g := range a.guilds {
		counts[guildID] = g.sockets
	}
	return counts
}

// departures are the sockets in the guilds that somebody has left since they were asked for last.
func (a *Admission) departures() map[uint64]int {
	a.mu.Lock()
	defer a.mu.Unlock()
	counts := make(map[uint64]int, len(a.left))
	for guildID := range a.left {
		counts[guildID] = 0
		if g := a.guilds[guildID]; g != nil {
			counts[guildID] = g.sockets
		}
	}
	clear(a.left)
	return counts
}

// refuse counts and jitters: from the whole of about to twice of it.
func (a *Admission) refuse(cause string, about time.Duration) *Refusal {
	a.refused[cause].Add(1)
	return &Refusal{Cause: cause, RetryAfter: about + rand.N(about)}
}

// ParseProxies reads addresses and prefixes, such as 10.0.0.0/8.
func ParseProxies(texts []string) (proxies []netip.Prefix, err error) {
	for _, text := range texts {
		prefix, err := netip.ParsePrefix(text)
		if err != nil {
			address, err := netip.ParseAddr(text)
			if err != nil {
				return nil, fmt.Errorf("%q: must be an address or a prefix, such as 10.0.0.0/8", text)
			}
			prefix = netip.PrefixFrom(address, address.BitLen())
		}
		proxies = append(proxies, prefix.Masked())
	}
	return proxies, nil
}
