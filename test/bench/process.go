package main

import (
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// process is a program under measurement.
type process struct {
	name    string
	command *exec.Cmd
	log     *os.File
	exited  chan struct{} // closed when it has ended
}

// start runs a program with extra environment; what it prints goes to a file in folder.
func start(folder, name string, env []string, program string, args ...string) (*process, error) {
	log, err := os.Create(fmt.Sprintf("%s/%s.log", folder, name))
	if err != nil {
		return nil, err
	}
	p := &process{name: name, command: exec.Command(program, args...), log: log, exited: make(chan struct{})}
	p.command.Env = append(os.Environ(), env...)
	p.command.Stdout, p.command.Stderr = log, log
	p.command.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL} // main holds its thread
	if err := p.command.Start(); err != nil {
		_ = log.Close()
		return nil, fmt.Errorf("start %s: %w", name, err)
	}
	go func() {
		_ = p.command.Wait() // how it ended stands in its log
		close(p.exited)
	}()
	return p, nil
}

// stop ends the process and waits for it: politely for five seconds, then not.
func (p *process) stop() {
	_ = p.command.Process.Signal(syscall.SIGTERM)
	select {
	case <-p.exited:
	case <-time.After(5 * time.Second):
		_ = p.command.Process.Kill()
		<-p.exited
	}
	_ = p.log.Close()
}

// waitFor asks ready every 20 ms until it says yes; it gives up when the process ends or after 20 s.
func (p *process) waitFor(ready func() bool) error {
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	limit := time.After(20 * time.Second)
	for !ready() {
		select {
		case <-p.exited:
			return fmt.Errorf("%s ended at its start: %s", p.name, p.lastWords())
		case <-limit:
			return fmt.Errorf("%s is not ready after 20 s: %s", p.name, p.lastWords())
		case <-tick.C:
		}
	}
	return nil
}

func (p *process) lastWords() string {
	text, _ := os.ReadFile(p.log.Name())
	lines := strings.Split(strings.TrimSpace(string(text)), "\n")
	return lines[len(lines)-1]
}

// cpu is the process CPU clock: user and system time of all its threads, to the nanosecond.
func (p *process) cpu() (time.Duration, error) {
	// clock_getcpuclockid(3): the complement of the pid, and CPUCLOCK_SCHED.
	clock := int32(^p.command.Process.Pid)<<3 | 2
	var t unix.Timespec
	if err := unix.ClockGettime(clock, &t); err != nil {
		return 0, fmt.Errorf("CPU clock of %s: %w", p.name, err)
	}
	return time.Duration(t.Nano()), nil
}

// userCPU is the part spent outside the kernel, in steps of 10 ms (proc(5), utime).
func (p *process) userCPU() (time.Duration, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", p.command.Process.Pid))
	if err != nil {
		return 0, err
	}
	_, rest, _ := strings.Cut(string(text), ") ") // the name may hold spaces
	fields := strings.Fields(rest)
	if len(fields) < 12 {
		return 0, fmt.Errorf("/proc stat of %s has %d fields", p.name, len(fields))
	}
	ticks, err := strconv.ParseInt(fields[11], 10, 64)
	return time.Duration(ticks) * 10 * time.Millisecond, err
}

// resident is the memory the process holds, in bytes (proc(5), VmRSS).
func (p *process) resident() (int64, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/statm", p.command.Process.Pid))
	if err != nil {
		return 0, err
	}
	fields := strings.Fields(string(text))
	if len(fields) < 2 {
		return 0, fmt.Errorf("/proc statm of %s is %q", p.name, text)
	}
	pages, err := strconv.ParseInt(fields[1], 10, 64)
	return pages * int64(os.Getpagesize()), err
}

// peak is the most memory that the process has held, in bytes (proc(5), VmHWM).
func (p *process) peak() (int64, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.command.Process.Pid))
	if err != nil {
		return 0, err
	}
	_, after, _ := strings.Cut(string(text), "VmHWM:")
	kilobytes, _, _ := strings.Cut(after, "kB")
	n, err := strconv.ParseInt(strings.TrimSpace(kilobytes), 10, 64)
	return n << 10, err
}
