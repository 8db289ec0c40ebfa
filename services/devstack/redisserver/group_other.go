//go:build !linux

package redisserver

import "syscall"

// ownGroup keeps a terminal's signals from the child.
func ownGroup() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setpgid: true} }
