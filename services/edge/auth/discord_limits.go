package auth

import (
	"encoding/json"
	"math"
	"net/http"
	"strconv"
	"time"

	"github.com/maypok86/otter/v2"
)

// maxRetry bounds how long a bucket is believed to be closed.
const maxRetry = 15 * time.Minute

// bucket is what Discord counts a call against. Comparable; the zero bucket is all of this address.
type bucket struct {
	kind  bucketKind
	guild uint64      // of a guildBucket
	user  fingerprint // of a userBucket
}

type bucketKind uint8

const (
	addressBucket bucketKind = iota // every call
	botBucket                       // every call with the bot's token
	guildBucket                     // the bot's calls about one guild
	userBucket                      // calls with one user's credential
)

// breaker is which of Discord.breakers the bucket's calls go by.
func (b bucket) breaker() int {
	if b.kind == userBucket {
		return 0
	}
	return 1
}

// wider are the buckets whose closing closes this one too, itself among them.
func (b bucket) wider() []bucket {
	if b.kind == guildBucket {
		return []bucket{{}, {kind: botBucket}, b}
	}
	return []bucket{{}, b}
}

// maxBuckets bounds how many buckets are remembered; those beyond are asked as if nothing were known.
const maxBuckets = 4096

// limits remembers until when Discord has closed its buckets (§ Rate Limits), and what is left in those
// that are open, so that it is not asked in vain.
type limits struct {
	until *otter.Cache[bucket, time.Time]
	lanes *otter.Cache[bucket, *lane]
}

func newLimits() *limits {
	return &limits{
		until: otter.Must(&otter.Options[bucket, time.Time]{
			MaximumSize: maxBuckets,
			ExpiryCalculator: otter.ExpiryWritingFunc(func(e otter.Entry[bucket, time.Time]) time.Duration {
				return max(time.Until(e.Value), 1)
			}),
			Logger: &otter.NoopLogger{},
		}),
		lanes: otter.Must(&otter.Options[bucket, *lane]{
			MaximumSize:      maxBuckets,
			ExpiryCalculator: otter.ExpiryAccessing[bucket, *lane](maxRetry),
			Logger:           &otter.NoopLogger{},
		}),
	}
}

func (l *limits) close() {
	l.until.StopAllGoroutines()
	l.lanes.StopAllGoroutines()
}

// lane is the bucket's.
func (l *limits) lane(b bucket) *lane {
	lane, _ := l.lanes.ComputeIfAbsent(b, func() (*lane, bool) { return newLane(), false })
	return lane
}

// read takes what an answer says of its bucket.
func (l *limits) read(got answer, b bucket) { l.lane(b).read(got.header, time.Now()) }

// wait is how long the bucket is still closed; 0 when it is open.
func (l *limits) wait(b bucket) (wait time.Duration) {
	for _, b := range b.wider() {
		if until, closed := l.until.GetIfPresent(b); closed {
			wait = max(wait, time.Until(until))
		}
	}
	return wait
}

// note closes what a 429 speaks of and returns for how long. An answer that is no JSON does not
// come from the API but from what stands before it, and bars the address.
func (l *limits) note(got answer, b bucket) time.Duration {
	retry := retryAfter(got)
	if retry <= 0 {
		retry = defaultRetry
	}
	switch {
	case !isJSON(got):
		b = bucket{}
	case got.header.Get("X-RateLimit-Global") == "true" && b.kind == guildBucket, b.kind == guildBucket && got.header.Get("X-RateLimit-Scope") == "global":
		b = bucket{kind: botBucket}
	}
	l.until.Set(b, time.Now().Add(retry))
	return retry
}

// retryAfter reads how long to wait: the body's retry_after (seconds, with fraction), else the
// header's. 0 where neither says, or what they say is no time.
func retryAfter(got answer) time.Duration {
	var body struct {
		RetryAfter float64 `json:"retry_after"`
	}
	seconds := 0.0
	if got.status == http.StatusTooManyRequests && json.Unmarshal(got.body, &body) == nil {
		seconds = body.RetryAfter
	}
	if header := got.header.Get("Retry-After"); seconds <= 0 && header != "" {
		if parsed, err := strconv.ParseFloat(header, 64); err == nil {
			seconds = parsed
		} else if at, err := http.ParseTime(header); err == nil {
			seconds = time.Until(at).Seconds()
		}
	}
	if !(seconds > 0) || math.IsInf(seconds, 0) {
		return 0
	}
	return time.Duration(math.Ceil(min(seconds, maxRetry.Seconds())*1e3)) * time.Millisecond
}
