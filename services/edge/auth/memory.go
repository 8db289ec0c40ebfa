package auth

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"github.com/maypok86/otter/v2"
)

// memory remembers answers, yes and no apart, at most Entries of each: tokens that nobody knows drive out
// no user. Of simultaneous questions for a key one is asked; it goes on though who asked has left. Trouble
// is never remembered.
type memory[K comparable, V lasting] struct {
	options   CacheOptions
	known     *otter.Cache[K, verdict[V]]
	refused   *otter.Cache[K, verdict[struct{}]]
	shared    *shared // nil without a second level
	name      func(K) string
	base      context.Context // of questions; ended by close
	cancel    context.CancelFunc
	running   sync.WaitGroup // questions, and the caches' own work
	forgotten atomic.Int64   // calls of forget: what was asked before one is not remembered after it
	counts    memoryCounts
}

type memoryCounts struct{ hits, misses, stale, shared, asked, refused, failed atomic.Int64 }

// never is longer than any entry is kept: questions are asked here, not by the cache's own refreshing.
const never = 100 * 365 * 24 * time.Hour

func newMemory[K comparable, V lasting](options CacheOptions, second *shared, name func(K) string) *memory[K, V] {
	m := &memory[K, V]{options: options, shared: second, name: name}
	m.base, m.cancel = context.WithCancel(context.Background())
	m.known = verdicts[K, V](options.Entries, &m.running)
	m.refused = verdicts[K, struct{}](options.Entries, &m.running)
	return m
}

func verdicts[K comparable, V any](entries int, running *sync.WaitGroup) *otter.Cache[K, verdict[V]] {
	return otter.Must(&otter.Options[K, verdict[V]]{
		MaximumSize: entries,
		ExpiryCalculator: otter.ExpiryWritingFunc(func(e otter.Entry[K, verdict[V]]) time.Duration {
			return max(time.Until(time.Unix(0, e.Value.Keep)), 1)
		}),
		RefreshCalculator: otter.RefreshWriting[K, verdict[V]](never),
		Executor:          func(f func()) { running.Go(f) },
		Logger:            &otter.NoopLogger{}, // errors come back to who asked
	})
}

// get answers from memory or asks. While nobody can be asked, a yes that is not fresh any more counts.
func (m *memory[K, V]) get(ctx context.Context, key K, ask func(context.Context) (V, error)) (V, error) {
	if m.options.Disabled {
		m.counts.asked.Add(1)
		return ask(ctx)
	}
	var none V
	known, is := m.known.GetIfPresent(key)
	if is && known.isFresh() {
		m.counts.hits.Add(1)
		return known.Value, nil
	}
	if refused, is := m.refused.GetIfPresent(key); is && refused.isFresh() {
		m.counts.hits.Add(1)
		return none, refused.Refusal
	}
	m.counts.misses.Add(1)
	select {
	case result := <-m.known.Refresh(m.base, key, question[K, V]{m, ask}):
		var refusal Refusal
		var trouble *Unavailable
		switch {
		case result.Err == nil:
			return result.Value.Value, nil
		case errors.As(result.Err, &refusal):
			return none, refusal
		case is && known.counts() && errors.As(result.Err, &trouble):
			m.counts.stale.Add(1)
			return known.Value, nil
		}
		return none, result.Err
	case <-ctx.Done():
		return none, ctx.Err()
	}
}

// question is the loader of known.
type question[K comparable, V lasting] struct {
	memory *memory[K, V]
	ask    func(context.Context) (V, error)
}

func (q question[K, V]) Load(ctx context.Context, key K) (verdict[V], error) {
	m := q.memory
	if refused, is := m.refused.GetIfPresent(key); is && refused.isFresh() {
		return verdict[V]{}, refused.Refusal // since this was to be asked
	}
	forgotten := m.forgotten.Load()
	v, err := m.load(ctx, key, q.ask)
	if err == nil && v.Refusal != "" {
		if err = v.Refusal; forgotten == m.forgotten.Load() {
			m.refused.Set(key, verdict[struct{}]{Refusal: v.Refusal, Fresh: v.Fresh, Keep: v.Keep})
		}
		m.known.Invalidate(key) // an older yes
	}
	return v, err
}

// Reload asks unless somebody has been answered since this was to be asked.
func (q question[K, V]) Reload(ctx context.Context, key K, old verdict[V]) (verdict[V], error) {
	if old.isFresh() {
		return old, nil
	}
	v, err := q.Load(ctx, key)
	if v.Refusal != "" {
		return verdict[V]{}, err
	}
	return v, err
}

// load asks the second level, then upstream. The error is trouble or ctx's.
func (m *memory[K, V]) load(ctx context.Context, key K, ask func(context.Context) (V, error)) (verdict[V], error) {
	forgotten := m.forgotten.Load()
	found, is := recall[V](ctx, m.shared, m.name, key)
	if is && found.isFresh() {
		m.counts.shared.Add(1)
		return found, nil
	}
	m.counts.asked.Add(1)
	value, err := ask(ctx)
	var refusal Refusal
	if err != nil && !errors.As(err, &refusal) {
		m.counts.failed.Add(1)
		if is && found.counts() {
			m.counts.stale.Add(1)
			return found, nil // is not fresh: the next one asks again
		}
		return verdict[V]{}, err
	}
	if refusal != "" {
		m.counts.refused.Add(1)
	}
	v := judge(m.options, value, refusal)
	if forgotten == m.forgotten.Load() {
		store(ctx, m.shared, m.name, key, v)
	}
	return v, nil
}

// forget drops a key here and in the second level; an answer that is on its way is not remembered.
func (m *memory[K, V]) forget(ctx context.Context, key K) {
	m.forgotten.Add(1)
	m.known.Invalidate(key)
	m.refused.Invalidate(key)
	erase(ctx, m.shared, m.name, key)
}

// forgetAll drops the keys that are remembered here and match.
func (m *memory[K, V]) forgetAll(ctx context.Context, match func(K, V) bool) {
	for key, v := range m.known.All() {
		if match(key, v.Value) {
			m.forget(ctx, key)
		}
	}
	var none V
	for key := range m.refused.Keys() {
		if match(key, none) {
			m.forget(ctx, key)
		}
	}
}

// close ends questions under way and waits for them; no get may be under way or follow.
func (m *memory[K, V]) close() {
	m.cancel()
	m.known.StopAllGoroutines()
	m.refused.StopAllGoroutines()
	m.running.Wait()
}
