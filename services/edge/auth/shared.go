package auth

import (
	"context"
	"encoding/json"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/pona-realtime/pona/services/edge/seal"
)

const (
	sharedPrefix  = "pona:auth:"    // of keys in Redis
	sharedTimeout = time.Second     // of one call to Redis, short beside a question that is put off
	sharedPatient = 3               // calls in a row that fail, before
	sharedPause   = 5 * time.Second // without Redis
	maxOwed       = 10_000          // keys to be erased when Redis is back; more stay for the rest of their TTL
)

// shared is the second level of the memories, in Redis: what one edge has been told, the others know,
// also after a restart. Keys are HMACs and values are sealed, both under the cluster's key, and a value
// opens under its own key only: who reads Redis learns neither tokens nor users, and who writes it
// lets nobody in. Redis is never waited for longer than timeout, and its trouble is no one's.
type shared struct {
	client  redis.UniversalClient
	sealer  *seal.Sealer
	timeout time.Duration
	log     *slog.Logger
	failed  atomic.Int64 // calls in a row
	pause   atomic.Int64 // nanoseconds since 1970 until when Redis is left alone

	mu    sync.Mutex
	owed  map[string]uint64 // keys in Redis to be erased before anything there is believed again, numbered by
	debts uint64            // how often something was owed
}

// away notes how a call went, and tells whether it failed; after a few that did Redis is left alone.
func (s *shared) away(err error) bool {
	if err == nil || err == redis.Nil { //nolint:errorlint // go-redis returns it bare
		s.failed.Store(0)
		return false
	}
	if s.failed.Add(1) >= sharedPatient && s.pause.Swap(time.Now().Add(sharedPause).UnixNano()) == 0 {
		s.log.Warn("answers are not shared with other edges: Redis does not answer", "error", err)
	}
	return true
}

func (s *shared) paused() bool {
	until := s.pause.Load()
	if until == 0 {
		return false
	}
	if time.Now().UnixNano() < until {
		return true
	}
	s.pause.CompareAndSwap(until, 0)
	return false
}

// recall finds a verdict; false where there is none, or none that can be believed.
func recall[V, K any](ctx context.Context, s *shared, name func(K) string, key K) (v verdict[V], ok bool) {
	if s == nil || s.paused() {
		return v, false
	}
	ctx, cancel := context.WithTimeout(ctx, s.timeout)
	defer cancel()
	if !s.settle(ctx) {
		return v, false
	}
	in := sharedPrefix + name(key)
	sealed, err := s.client.Get(ctx, in).Result()
	if s.away(err) || err != nil {
		return v, false
	}
	content, ok := s.sealer.Open(sealed, in)
	return v, ok && json.Unmarshal([]byte(content), &v) == nil
}

// store keeps a verdict for as long as it may be served.
func store[V, K any](ctx context.Context, s *shared, name func(K) string, key K, v verdict[V]) {
	if s == nil || s.paused() || ctx.Err() != nil {
		return
	}
	content, err := json.Marshal(v)
	ttl := time.Until(time.Unix(0, v.Keep))
	if err != nil || ttl < time.Millisecond {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, s.timeout)
	defer cancel()
	in := sharedPrefix + name(key)
	s.away(s.client.Set(ctx, in, s.sealer.Seal(string(content), in), ttl).Err())
}

// erase drops a verdict: now, or once Redis is back.
func erase[K any](ctx context.Context, s *shared, name func(K) string, key K) {
	if s == nil {
		return
	}
	s.owe(sharedPrefix + name(key))
	if s.paused() {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, s.timeout)
	defer cancel()
	s.settle(ctx)
}

func (s *shared) owe(key string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.owed == nil {
		s.owed = make(map[string]uint64)
	}
	if s.debts++; len(s.owed) < maxOwed {
		s.owed[key] = s.debts
	}
}

// settle erases what is owed, and tells whether it could.
func (s *shared) settle(ctx context.Context) bool {
	s.mu.Lock()
	owed := maps.Clone(s.owed)
	s.mu.Unlock()
	if len(owed) == 0 {
		return true
	}
	if s.away(s.client.Del(ctx, slices.Collect(maps.Keys(owed))...).Err()) {
		return false
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for key, debt := range owed {
		if s.owed[key] == debt { // not owed anew meanwhile
			delete(s.owed, key)
		}
	}
	return true
}
