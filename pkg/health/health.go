// Package health says whether a process can take work, and if not, what is missing.
//
// Each part of a program that depends on something outside holds a [Condition] and says Up or Down
// as things change. The process is ready while every condition is up; it is alive while it answers.
// All methods may be called by any goroutine at any time. The package starts no goroutine, except
// for [Serve], and logs nothing.
package health

import (
	"slices"
	"sync"
)

// Health holds the conditions of a process.
type Health struct {
	mu         sync.Mutex
	conditions []*Condition       // in the order of their making
	once       chan struct{}      // closed when an Up has made everything ready
	ready      bool               // as listeners were told last
	listeners  []func(ready bool) // OnChange's
}

// New returns a Health without conditions, which is ready.
func New() *Health { return &Health{once: make(chan struct{}), ready: true} }

// Condition is something the process needs in order to take work.
type Condition struct {
	health *Health
	name   string
	reason string // why it is down; empty means up
}

// Condition makes a condition, which is down ("not yet up") until Up is called. The name is for
// people: "nats", "fanout 10.0.0.7:7070".
func (h *Health) Condition(name string) *Condition {
	c := &Condition{health: h, name: name, reason: "not yet up"}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.conditions = append(h.conditions, c)
	h.tell()
	return c
}

// Up says that the condition holds.
func (c *Condition) Up() { c.set("") }

// Down says that it does not, and why; an empty reason becomes "down".
func (c *Condition) Down(reason string) {
	if reason == "" {
		reason = "down"
	}
	c.set(reason)
}

// Remove takes the condition out: the process no longer needs it. Up and Down then have no effect.
func (c *Condition) Remove() {
	h := c.health
	h.mu.Lock()
	defer h.mu.Unlock()
	h.conditions = slices.DeleteFunc(h.conditions, func(other *Condition) bool { return other == c })
	h.tell()
}

func (c *Condition) set(reason string) {
	h := c.health
	h.mu.Lock()
	defer h.mu.Unlock()
	c.reason = reason
	if ready := h.tell(); reason != "" || !ready {
		return
	}
	select {
	case <-h.once:
	default:
		close(h.once)
	}
}

// OnChange adds a listener, which is told at once whether every condition is up, and then each time that this changes,
// in order. It must be quick, and must not use the Health.
func (h *Health) OnChange(f func(ready bool)) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.listeners = append(h.listeners, f)
	f(h.ready)
}

// tell says whether every condition is up, and tells listeners when that has changed. The lock is held.
func (h *Health) tell() (ready bool) {
	ready = !slices.ContainsFunc(h.conditions, func(c *Condition) bool { return c.reason != "" })
	if ready != h.ready {
		h.ready = ready
		for _, f := range h.listeners {
			f(ready)
		}
	}
	return ready
}

// Once is closed when a condition comes up for the first time that all others are up too. What happens
// later, Ready says.
func (h *Health) Once() <-chan struct{} { return h.once }

// Ready says whether every condition is up.
func (h *Health) Ready() bool { return len(h.Missing()) == 0 }

// Missing is a condition that is down.
type Missing struct {
	Name   string `json:"name"`
	Reason string `json:"reason"`
}

// Missing lists the conditions that are down, in the order of their making.
func (h *Health) Missing() []Missing {
	h.mu.Lock()
	defer h.mu.Unlock()
	var missing []Missing
	for _, c := range h.conditions {
		if c.reason != "" {
			missing = append(missing, Missing{c.name, c.reason})
		}
	}
	return missing
}
