//go:build !unix

package service

import "time"

func cpuTime() (used time.Duration, ok bool) { return 0, false }
