package auth

import (
	"context"
	"errors"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"github.com/maypok86/otter/v2"
)

// CacheOptions tunes what is remembered; the zero value is the default of each.
type CacheOptions struct {
	Entries  int           // users, and as many memberships; 0 means 1000
	TTL      time.Duration // how long a yes is believed, less up to a tenth, never past the token's end; 0 means 5m
	Refused  time.Duration // how long a token stays unknown; 0 means 15m
	Absent   time.Duration // how long a user stays no member; 0 means 30s
	Stale    time.Duration // how long after TTL a yes still counts while nobody can be asked; 0 means 1h, less than 0 not at all
	Disabled bool          // remember nothing: each question is asked
}

func (o CacheOptions) withDefaults() CacheOptions {
	for value, is := range map[*time.Duration]time.Duration{
		&o.TTL: 5 * time.Minute, &o.Refused: 15 * time.Minute, &o.Absent: 30 * time.Second, &o.Stale: time.Hour,
	} {
		if *value == 0 {
			*value = is
		}
	}
	if o.Entries <= 0 {
		o.Entries = 1000
	}
	return o
}

// verdict is an answer that is remembered: a value, or a refusal. Times are nanoseconds since 1970.
type verdict[V any] struct {
	Value   V       `json:"value"`
	Refusal Refusal `json:"refusal,omitempty"` // empty for a yes
	Fresh   int64   `json:"fresh"`             // believed until then
	Keep    int64   `json:"keep"`              // and until then while nobody can be asked
}

func (v verdict[V]) answer() (V, error) {
	if v.Refusal != "" {
		return v.Value, v.Refusal
	}
	return v.Value, nil
}

// lasting is a value that ends by itself; the zero time says it does not.
type lasting interface{ end() time.Time }

// memory remembers verdicts, at most Entries of them: who comes once does not drive out who comes often
// (W-TinyLFU). Of simultaneous questions for a key one is asked; it goes on though who asked has left.
// Trouble is never remembered.
type memory[K comparable, V lasting] struct {
	options CacheOptions
	cache   *otter.Cache[K, verdict[V]]
	shared  *shared // nil without a second level
	name    func(K) string
	base    context.Context // of questions; ended by close
	cancel  context.CancelFunc
	running sync.WaitGroup // questions, and the cache's own work
	counts  memoryCounts
}

type memoryCounts struct{ hits, misses, stale, shared, asked, refused, failed atomic.Int64 }

// never is longer than any entry is kept: questions are asked here, not by the cache's own refreshing.
const never = 100 * 365 * 24 * time.Hour

func newMemory[K comparable, V lasting](options CacheOptions, second *shared, name func(K) string) *memory[K, V] {
	m := &memory[K, V]{options: options, shared: second, name: name}
	m.base, m.cancel = context.WithCancel(context.Background())
	m.cache = otter.Must(&otter.Options[K, verdict[V]]{
		MaximumSize: options.Entries,
		ExpiryCalculator: otter.ExpiryWritingFunc(func(e otter.Entry[K, verdict[V]]) time.Duration {
			return max(time.Until(time.Unix(0, e.Value.Keep)), 1)
		}),
		RefreshCalculator: otter.RefreshWriting[K, verdict[V]](never),
		Executor:          func(f func()) { m.running.Go(f) },
		Logger:            &otter.NoopLogger{}, // errors come back to who asked
	})
	return m
}

// get answers from memory or asks. While nobody can be asked, a yes that is not fresh any more counts.
func (m *memory[K, V]) get(ctx context.Context, key K, ask func(context.Context) (V, error)) (V, error) {
	if m.options.Disabled {
		m.counts.asked.Add(1)
		return ask(ctx)
	}
	known, is := m.cache.GetIfPresent(key)
	if is && time.Now().UnixNano() < known.Fresh {
		m.counts.hits.Add(1)
		return known.answer()
	}
	m.counts.misses.Add(1)
	var none V
	select {
	case result := <-m.cache.Refresh(m.base, key, otter.LoaderFunc[K, verdict[V]](
		func(ctx context.Context, key K) (verdict[V], error) { return m.load(ctx, key, ask) })):
		if result.Err == nil {
			return result.Value.answer()
		}
		var trouble *Unavailable
		if is && known.Refusal == "" && errors.As(result.Err, &trouble) && time.Now().UnixNano() < known.Keep {
			m.counts.stale.Add(1)
			return known.Value, nil
		}
		return none, result.Err
	case <-ctx.Done():
		return none, ctx.Err()
	}
}

// load asks the second level, then upstream.
func (m *memory[K, V]) load(ctx context.Context, key K, ask func(context.Context) (V, error)) (verdict[V], error) {
	found, is := recall[V](ctx, m.shared, m.name, key)
	if is && time.Now().UnixNano() < found.Fresh {
		m.counts.shared.Add(1)
		return found, nil
	}
	m.counts.asked.Add(1)
	value, err := ask(ctx)
	var refusal Refusal
	if err != nil && !errors.As(err, &refusal) {
		m.counts.failed.Add(1)
		if is && found.Refusal == "" && time.Now().UnixNano() < found.Keep {
			m.counts.stale.Add(1)
			return found, nil // kept for later too: its Fresh has passed, so the next one asks again
		}
		return verdict[V]{}, err
	}
	v := m.judge(value, refusal)
	if refusal != "" {
		m.counts.refused.Add(1)
	}
	store(ctx, m.shared, m.name, key, v)
	return v, nil
}

// judge says how long an answer is believed.
func (m *memory[K, V]) judge(value V, refusal Refusal) verdict[V] {
	v, now := verdict[V]{Value: value, Refusal: refusal}, time.Now()
	switch refusal {
	case "":
		ttl := m.options.TTL - rand.N(m.options.TTL/10+1) // so that what came at once is not asked again at once
		fresh := now.Add(ttl)
		keep := fresh.Add(max(m.options.Stale, 0))
		if end := value.end(); !end.IsZero() {
			fresh, keep = earlier(fresh, end), earlier(keep, end)
		}
		v.Fresh, v.Keep = fresh.UnixNano(), keep.UnixNano()
	case ErrUnauthorized:
		v.Fresh = now.Add(m.options.Refused).UnixNano()
		v.Keep = v.Fresh
	default:
		v.Fresh = now.Add(m.options.Absent).UnixNano()
		v.Keep = v.Fresh
	}
	return v
}

func earlier(a, b time.Time) time.Time {
	if b.Before(a) {
		return b
	}
	return a
}

// forget drops a key here and in the second level; an answer that is on its way is not remembered.
func (m *memory[K, V]) forget(ctx context.Context, key K) {
	m.cache.Invalidate(key)
	erase(ctx, m.shared, m.name, key)
}

// forgetAll drops the keys that are remembered here and match.
func (m *memory[K, V]) forgetAll(ctx context.Context, match func(K, V) bool) {
	for key, v := range m.cache.All() {
		if match(key, v.Value) {
			m.forget(ctx, key)
		}
	}
}

// close ends questions under way and waits for them; no get may be under way or follow.
func (m *memory[K, V]) close() {
	m.cancel()
	m.cache.StopAllGoroutines()
	m.running.Wait()
}
