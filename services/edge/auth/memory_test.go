package auth

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"testing"
	"testing/synctest"
	"time"
)

var nobodyThere = &Unavailable{RetryAfter: time.Second, Cause: errors.New("down")}

// remembering runs f with a memory, on a clock that passes when everybody waits.
func remembering(t *testing.T, options CacheOptions, f func(t *testing.T, m *memory[int, User])) {
	synctest.Test(t, func(t *testing.T) {
		m := newMemory[int, User](options.withDefaults(), nil, nil)
		defer m.close()
		f(t, m)
	})
}

// says is a question's answer that counts how often it was asked.
func says(user User, err error) (ask func(context.Context) (User, error), asked *int) {
	asked = new(int)
	return func(context.Context) (User, error) { *asked++; return user, err }, asked
}

func TestHowLongAnswersAreBelieved(t *testing.T) {
	for _, test := range []struct {
		name     string
		answer   User
		err      error
		from, to time.Duration // it is asked again not before from, and surely from to on
	}{
		{"a yes", User{ID: 1}, nil, 4*time.Minute + 30*time.Second, 5*time.Minute + time.Second},
		{"an unknown token", User{}, ErrUnauthorized, 15*time.Minute - time.Second, 15*time.Minute + time.Second},
		{"no member", User{}, ErrNotMember, 29 * time.Second, 31 * time.Second},
		{"no guild", User{}, ErrInvalidGuild, 29 * time.Second, 31 * time.Second},
		{"trouble", User{}, nobodyThere, 0, 0},
		{"a yes that ends earlier", User{ID: 1, Expires: time.Date(2000, 1, 1, 0, 1, 0, 0, time.UTC)}, nil, 59 * time.Second, 60 * time.Second},
	} {
		t.Run(test.name, func(t *testing.T) {
			remembering(t, CacheOptions{}, func(t *testing.T, m *memory[int, User]) { // synctest begins on 2000-01-01
				ask, asked := says(test.answer, test.err)
				get := func(want int) {
					t.Helper()
					if user, err := m.get(t.Context(), 1, ask); user.ID != test.answer.ID || err != test.err || *asked != want {
						t.Errorf("%v, %v, asked %d times, want %d", user, err, *asked, want)
					}
				}
				get(1)
				if test.from > 0 {
					time.Sleep(test.from)
					get(1)
				}
				time.Sleep(test.to - test.from)
				get(2)
			})
		})
	}
}

func TestExpiryIsJittered(t *testing.T) {
	remembering(t, CacheOptions{}, func(t *testing.T, m *memory[int, User]) {
		first, last := int64(0), int64(0)
		for range 1000 {
			fresh := judge(m.options, User{ID: 1}, "").Fresh
			if first == 0 || fresh < first {
				first = fresh
			}
			last = max(last, fresh)
		}
		if spread := time.Duration(last - first); spread < 25*time.Second || spread > 30*time.Second {
			t.Errorf("1000 answers are asked again within %s, want a tenth of 5m", spread)
		}
	})
}

func TestAYesCountsOnWhileNobodyCanBeAsked(t *testing.T) {
	remembering(t, CacheOptions{}, func(t *testing.T, m *memory[int, User]) {
		yes, _ := says(User{ID: 1}, nil)
		trouble, asked := says(User{}, nobodyThere)
		no, _ := says(User{}, ErrUnauthorized)
		get := func(ask func(context.Context) (User, error), want error) {
			t.Helper()
			if _, err := m.get(t.Context(), 1, ask); err != want {
				t.Errorf("%v, want %v", err, want)
			}
		}
		get(yes, nil)
		time.Sleep(59 * time.Minute)
		get(trouble, nil)
		time.Sleep(5 * time.Minute)
		get(trouble, nil) // and is not prolonged
		if *asked != 2 {
			t.Errorf("asked %d times: it must be tried each time", *asked)
		}
		time.Sleep(2 * time.Minute)
		get(trouble, nobodyThere) // 1h after the answer was due again
		get(yes, nil)
		time.Sleep(6 * time.Minute)
		get(no, ErrUnauthorized)
		get(trouble, ErrUnauthorized) // the old yes is gone
		time.Sleep(16 * time.Minute)
		get(trouble, nobodyThere) // a no does not count on
	})
	remembering(t, CacheOptions{Stale: -1}, func(t *testing.T, m *memory[int, User]) {
		yes, _ := says(User{ID: 1}, nil)
		trouble, _ := says(User{}, nobodyThere)
		_, _ = m.get(t.Context(), 1, yes)
		time.Sleep(6 * time.Minute)
		if _, err := m.get(t.Context(), 1, trouble); err != nobodyThere { //nolint:errorlint // the very one
			t.Error(err)
		}
	})
}

func TestBadTokensDriveOutNoUser(t *testing.T) {
	const entries, users, bad = 50, 50, 500
	m := newMemory[int, User](CacheOptions{Entries: entries}.withDefaults(), nil, nil)
	defer m.close()
	yes, _ := says(User{ID: 1}, nil)
	no, _ := says(User{}, ErrUnauthorized)
	for key := range users {
		_, _ = m.get(t.Context(), key, yes)
	}
	for key := range bad {
		_, _ = m.get(t.Context(), users+key, no)
	}
	again, asked := says(User{ID: 1}, nil)
	for key := range users {
		_, _ = m.get(t.Context(), key, again)
	}
	if *asked > 0 {
		t.Errorf("%d of %d users were forgotten for %d bad tokens", *asked, users, bad)
	}
	m.refused.CleanUp()
	if n := m.refused.EstimatedSize(); n > entries {
		t.Errorf("%d refusals remembered, more than %d", n, entries)
	}
}

// BenchmarkMemory reports what an entry takes, keys included, with the caches at their bounds.
func BenchmarkMemory(b *testing.B) {
	for _, entries := range []int{1000, 100_000} {
		b.Run(fmt.Sprint(entries), func(b *testing.B) {
			for range b.N {
				before := heap()
				g, err := NewGate(nil, nil, GateOptions{Cache: CacheOptions{Entries: entries}})
				if err != nil {
					b.Fatal(err)
				}
				for i := range entries {
					id := uint64(i + 1) //nolint:gosec // small
					_, _ = g.users.get(b.Context(), g.hasher.credential(bearer(fmt.Sprint(i))), func(context.Context) (User, error) {
						return User{ID: id}, nil
					})
				}
				users := heap()
				for i := range entries {
					_, _ = g.members.get(b.Context(), membership{100, uint64(i + 1)}, func(context.Context) (present, error) { //nolint:gosec // small
						return present{}, nil
					})
				}
				b.ReportMetric(float64(users-before)/float64(entries), "B/user")
				b.ReportMetric(float64(heap()-users)/float64(entries), "B/member")
				g.Close()
			}
		})
	}
}

func heap() uint64 {
	runtime.GC()
	runtime.GC()
	var stats runtime.MemStats
	runtime.ReadMemStats(&stats)
	return stats.HeapAlloc
}
