//go:build !linux || 386 || s390x

package engineio

import "syscall"

// writeNow takes nothing: each frame is left to the session's writing goroutine.
func writeNow(syscall.RawConn, []byte) (int, error) { return 0, nil }

// awaitReadable leaves the wait to the read.
func awaitReadable(syscall.RawConn) error { return nil }

// readableNow does not know.
func readableNow(syscall.RawConn) bool { return false }
