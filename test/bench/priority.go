package main

import (
	"fmt"

	"golang.org/x/sys/unix"
)

// yieldProcessors lets the calling thread, and what it starts from now on, run only while a processor has
// nothing else to do; or again as everybody else does.
func yieldProcessors(yield bool) error {
	attr := unix.SchedAttr{Size: unix.SizeofSchedAttr, Policy: unix.SCHED_NORMAL}
	if yield {
		attr.Policy = unix.SCHED_IDLE
	}
	if err := unix.SchedSetAttr(0, &attr, 0); err != nil {
		return fmt.Errorf("scheduling policy: %w", err)
	}
	return nil
}
