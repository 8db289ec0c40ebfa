//go:build !linux

package engineio

import "syscall"

// writeNow takes nothing: each frame is left to the session's writing goroutine.
func writeNow(syscall.RawConn, []byte) (int, error) { return 0, nil }
