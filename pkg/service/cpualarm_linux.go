package service

import (
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"
	"unsafe"
)

// Of <time.h> and <signal.h>.
const (
	clockProcessCPU = 2 // CLOCK_PROCESS_CPUTIME_ID
	sigevSignal     = 0 // SIGEV_SIGNAL
)

// sigevent is struct sigevent of sigevent(7).
type sigevent struct {
	value  uint64
	signo  int32
	notify int32
	_      [48]byte
}

// cpuAlarm sends to the channel each time the process has used so much CPU time more, user and system,
// until stop is called; what nobody has received meanwhile is one. It is the kernel that counts
// (timer_create(2)), so that a process that sleeps is not woken. There is one in a process.
func cpuAlarm(every time.Duration) (alarms <-chan os.Signal, stop func(), err error) {
	raised := make(chan os.Signal, 1)
	signal.Notify(raised, syscall.SIGVTALRM)
	event := sigevent{signo: int32(syscall.SIGVTALRM), notify: sigevSignal}
	var id int32
	if _, _, errno := syscall.RawSyscall(syscall.SYS_TIMER_CREATE, clockProcessCPU, uintptr(unsafe.Pointer(&event)), uintptr(unsafe.Pointer(&id))); errno != 0 {
		signal.Stop(raised)
		return nil, nil, fmt.Errorf("timer_create: %w", errno)
	}
	stop = func() {
		_, _, _ = syscall.RawSyscall(syscall.SYS_TIMER_DELETE, uintptr(id), 0, 0) // it is there
		// The handler stays: the last signal may be on its way, and would end the process without.
	}
	interval := syscall.NsecToTimespec(int64(every))
	spec := struct{ interval, value syscall.Timespec }{interval, interval}
	if _, _, errno := syscall.RawSyscall6(syscall.SYS_TIMER_SETTIME, uintptr(id), 0, uintptr(unsafe.Pointer(&spec)), 0, 0, 0); errno != 0 {
		stop()
		return nil, nil, fmt.Errorf("timer_settime: %w", errno)
	}
	return raised, stop, nil
}

// cpuTime is what the process has used so far.
func cpuTime() time.Duration {
	var u syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &u) != nil {
		return 0 // cannot be
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
