package engineio

import (
	"slices"
	"sync"
	"weak"
)

// compressedAnswers are polling answers that requests send at the moment. What goes to many clients at once is
// compressed once, as it is on WebSocket.
type compressedAnswers struct {
	mu   sync.Mutex
	last [8]weak.Pointer[compressedAnswer] // the requests hold them
	next int
}

// compressedAnswer is made when the first request needs it.
type compressedAnswer struct {
	frames []*Frame // what it is made of
	coding string
	once   sync.Once
	bytes  []byte
}

// of is the answer that is made of these entries. Only frames are anybody else's too.
func (c *compressedAnswers) of(entries []entry, coding string) *compressedAnswer {
	wanted := &compressedAnswer{coding: coding}
	for _, e := range entries {
		if e.frame == nil {
			return wanted
		}
		wanted.frames = append(wanted.frames, e.frame)
	}
	if len(entries) == 0 {
		return wanted
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, p := range c.last {
		if a := p.Value(); a != nil && a.coding == coding && slices.Equal(a.frames, wanted.frames) {
			return a
		}
	}
	c.last[c.next] = weak.Make(wanted)
	c.next = (c.next + 1) % len(c.last)
	return wanted
}
