//go:build unix

package service

import (
	"syscall"
	"time"
)

// cpuTime is what the process has used so far, user and system; ok where that can be known.
func cpuTime() (used time.Duration, ok bool) {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0, false
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano()), true
}
