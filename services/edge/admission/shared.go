package admission

import (
	"context"
	"log/slog"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/redis/go-redis/v9"
)

const (
	believed = 2 * time.Minute        // how long what an edge said of a guild counts
	askTime  = 250 * time.Millisecond // for Redis to answer; then the edge decides alone
	restTime = time.Second            // without asking, after Redis has not answered
)

// shared is what the cluster's edges tell each other of their guilds, in Redis.
//
//	pona:guild:{<id>}:sockets   hash of "<sockets>:<seconds since 1970>" by edge
//	pona:guild:{<id>}:joins     joins in the second that began with the first of them
type shared struct {
	redis redis.Scripter
	edge  string
	log   *slog.Logger
	rests atomic.Int64 // until then Redis is not asked; ns since 1970 UTC
	away  atomic.Bool  // has been logged
}

// join says that an edge (ARGV[1]) has so many sockets in a guild (ARGV[2]) if one more may come: at most
// ARGV[3] in the cluster, and ARGV[4] a second; 0 is no bound. ARGV[5] is believed, in seconds.
var join = redis.NewScript(`
local most, rate, believed = tonumber(ARGV[3]), tonumber(ARGV[4]), tonumber(ARGV[5])
if rate > 0 then
	local joins = redis.call('INCR', KEYS[2])
	if joins == 1 then redis.call('PEXPIRE', KEYS[2], 1000) end
	if joins > rate then return 'guild rate' end
end
if most > 0 then
	local now, sum = tonumber(redis.call('TIME')[1]), tonumber(ARGV[2])
	local all = redis.call('HGETALL', KEYS[1])
	for i = 1, #all, 2 do
		local count, at = string.match(all[i + 1], '^(%d+):(%d+)$')
		if not count or now - tonumber(at) > believed then
			redis.call('HDEL', KEYS[1], all[i])
		elseif all[i] ~= ARGV[1] then
			sum = sum + tonumber(count)
		end
	end
	if sum > most then return 'guild' end
	redis.call('HSET', KEYS[1], ARGV[1], ARGV[2] .. ':' .. now)
	redis.call('EXPIRE', KEYS[1], 2 * believed)
end
return ''`)

// join asks whether a guild takes one more socket, with which this edge has so many there. It is not known
// while Redis does not answer.
func (s *shared) join(ctx context.Context, guildID uint64, sockets, most, perSecond int) (cause string, known bool) {
	if time.Now().UnixNano() < s.rests.Load() {
		return "", false
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), askTime) // a client that goes is no fault of Redis
	defer cancel()
	cause, err := join.Run(ctx, s.redis, keysOf(guildID), s.edge, sockets, most, perSecond, int(believed.Seconds())).Text()
	s.heard(err)
	return cause, err == nil
}

// say writes how many sockets (ARGV[2]) an edge (ARGV[1]) has in a guild.
var say = redis.NewScript(`
if ARGV[2] == '0' then return redis.call('HDEL', KEYS[1], ARGV[1]) end
redis.call('HSET', KEYS[1], ARGV[1], ARGV[2] .. ':' .. redis.call('TIME')[1])
return redis.call('EXPIRE', KEYS[1], 2 * ARGV[3])`)

// tell says guilds' sockets, and stops at the first that Redis does not take: what is not said is said
// again before it is no longer believed.
func (s *shared) tell(ctx context.Context, counts map[uint64]int) {
	for guildID, sockets := range counts {
		bounded, cancel := context.WithTimeout(ctx, askTime)
		err := say.Run(bounded, s.redis, keysOf(guildID), s.edge, sockets, int(believed.Seconds())).Err()
		cancel()
		if s.heard(err); err != nil {
			return
		}
	}
}

// heard remembers whether Redis answers.
func (s *shared) heard(err error) {
	if err != nil {
		s.rests.Store(time.Now().Add(restTime).UnixNano())
	}
	if away := err != nil; s.away.Swap(away) != away {
		s.log.Info("guilds' connections are counted for the whole cluster, or for this edge alone", "cluster", !away, "error", err)
	}
}

// keysOf have the guild's id in braces, so that a Redis cluster keeps them together.
func keysOf(guildID uint64) []string {
	guild := "pona:guild:{" + strconv.FormatUint(guildID, 10) + "}:"
	return []string{guild + "sockets", guild + "joins"}
}
