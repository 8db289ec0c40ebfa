package main

import (
	"fmt"

	"golang.org/x/sys/unix"
)

// Real-time priorities, for a machine that does other things too. What is started inherits that of the
// thread that starts it.
const (
	attackerPriority = 5 // it takes no processor from whom it attacks
	serverPriority   = 10
	clientPriority   = 20 // above the server's: clients are elsewhere in truth, and wait for no processor of its
)

// prioritize sets the calling thread's priority, which needs root.
func prioritize(priority uint32) error {
	attr := unix.SchedAttr{Size: unix.SizeofSchedAttr, Policy: unix.SCHED_RR, Priority: priority}
	if err := unix.SchedSetAttr(0, &attr, 0); err != nil {
		return fmt.Errorf("real-time priority: %w", err)
	}
	return nil
}
