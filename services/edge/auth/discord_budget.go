package auth

import (
	"net/http"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// invalidWindow is the time in which Discord counts invalid calls of an address: 10 000 bar it for a
// while (§ Invalid Request Limit).
const invalidWindow = 10 * time.Minute

// counts tells whether Discord counts the answer as one to an invalid call: 401, 403, and 429 unless the
// limit is shared with others.
func counts(got answer) bool {
	switch got.status {
	case http.StatusUnauthorized, http.StatusForbidden:
		return true
	case http.StatusTooManyRequests:
		return got.header.Get("X-RateLimit-Scope") != "shared"
	}
	return false
}

// budget keeps invalid calls below a number in any ten minutes: half of it at once, the other half spread
// evenly. Calls under way count as invalid until they prove otherwise.
type budget struct {
	mu     sync.Mutex
	spent  *rate.Limiter // a token is one invalid call
	flying int
}

func newBudget(most int) *budget {
	half := max(most/2, 1)
	return &budget{spent: rate.NewLimiter(rate.Limit(float64(half)/invalidWindow.Seconds()), half)}
}

// take allows a call; back must follow, with whether it was invalid. With a wait the call must not be made.
func (b *budget) take() (back func(invalid bool), wait time.Duration) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if missing := float64(b.flying+1) - b.spent.Tokens(); missing > 0 {
		return nil, max(time.Duration(missing/float64(b.spent.Limit())*float64(time.Second)), time.Millisecond)
	}
	b.flying++
	return b.back, 0
}

func (b *budget) back(invalid bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.flying--
	if invalid {
		b.spent.Allow() // is there: take has seen to it
	}
}

// left is how many invalid calls there may be now.
func (b *budget) left() float64 { return max(b.spent.Tokens(), 0) }
