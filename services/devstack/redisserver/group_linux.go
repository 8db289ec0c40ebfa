package redisserver

import "syscall"

// ownGroup keeps a terminal's signals from the child and ends it when this process is killed.
func ownGroup() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}
