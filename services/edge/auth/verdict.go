package auth

import (
	"math/rand/v2"
	"time"
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

func (v verdict[V]) isFresh() bool { return time.Now().UnixNano() < v.Fresh }

// counts tells whether it is a yes that counts on while nobody can be asked.
func (v verdict[V]) counts() bool { return v.Refusal == "" && time.Now().UnixNano() < v.Keep }

// lasting is a value that ends by itself; the zero time says it does not.
type lasting interface{ end() time.Time }

// judge says how long an answer is believed.
func judge[V lasting](o CacheOptions, value V, refusal Refusal) verdict[V] {
	v, now := verdict[V]{Value: value, Refusal: refusal}, time.Now()
	switch refusal {
	case "":
		ttl := o.TTL - rand.N(o.TTL/10+1) // so that what came at once is not asked again at once
		fresh := now.Add(ttl)
		keep := fresh.Add(max(o.Stale, 0))
		if end := value.end(); !end.IsZero() {
			fresh, keep = earlier(fresh, end), earlier(keep, end)
		}
		v.Fresh, v.Keep = fresh.UnixNano(), keep.UnixNano()
	case ErrUnauthorized:
		v.Fresh = now.Add(o.Refused).UnixNano()
		v.Keep = v.Fresh
	default:
		v.Fresh = now.Add(o.Absent).UnixNano()
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
