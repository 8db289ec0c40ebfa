package main

import (
	"sync/atomic"
	"time"
)

// crowd counts what all listeners in Go do.
type crowd struct {
	opened atomic.Int64 // connections that were accepted
}

// watch looks once a second how many connections were accepted, until peak is called: that is the most
// of any second.
func (c *crowd) watch() (peak func() int64) {
	most, stop, stopped := int64(0), make(chan struct{}), make(chan struct{})
	go func() {
		defer close(stopped)
		tick := time.NewTicker(time.Second)
		defer tick.Stop()
		for before := c.opened.Load(); ; {
			select {
			case <-tick.C:
				now := c.opened.Load()
				most, before = max(most, now-before), now
			case <-stop:
				return
			}
		}
	}()
	return func() int64 {
		close(stop)
		<-stopped
		return most
	}
}
