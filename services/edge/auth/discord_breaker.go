package auth

import (
	"sync/atomic"
	"time"

	"github.com/sony/gobreaker/v2"
)

const (
	breakAfter = 5                // calls in a row that failed
	breakFor   = 10 * time.Second // without calls, before one is tried
)

// breaker keeps calls back that would most likely fail, and hang until they do.
type breaker struct {
	circuit *gobreaker.TwoStepCircuitBreaker[struct{}]
	opened  atomic.Int64 // nanoseconds since 1970
}

func newBreaker(name string) *breaker {
	b := &breaker{}
	b.circuit = gobreaker.NewTwoStepCircuitBreaker[struct{}](gobreaker.Settings{
		Name: name, Timeout: breakFor,
		ReadyToTrip: func(c gobreaker.Counts) bool { return c.ConsecutiveFailures >= breakAfter },
		OnStateChange: func(_ string, _, to gobreaker.State) {
			if to == gobreaker.StateOpen {
				b.opened.Store(time.Now().UnixNano())
			}
		},
	})
	return b
}

// allow lets a call pass, and settle must follow with how it went; or says how long to wait.
func (b *breaker) allow() (settle func(error), wait time.Duration) {
	settle, err := b.circuit.Allow()
	if err == nil {
		return settle, 0
	}
	// Open, or another call is being tried.
	return nil, max(breakFor-time.Since(time.Unix(0, b.opened.Load())), time.Second)
}
