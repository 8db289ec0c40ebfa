package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// process is a program that can be killed, paused and started again with the same arguments. It is
// steered by one goroutine at a time.
type process struct {
	name   string
	folder string // of its log
	path   string
	args   []string

	cmd   *exec.Cmd
	ended chan struct{} // closed when it is gone
}

// start starts the program; its output is appended to its log.
func (p *process) start() error {
	log, err := os.OpenFile(p.log(), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer log.Close()
	p.cmd = exec.Command(p.path, p.args...)
	p.cmd.Stdout, p.cmd.Stderr = log, log
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // an interrupt at the terminal is ours to pass on
	if err := p.cmd.Start(); err != nil {
		return fmt.Errorf("start %s: %w", p.name, err)
	}
	ended := make(chan struct{})
	cmd := p.cmd
	go func() {
		_ = cmd.Wait() // how it ended stands in its log
		close(ended)
	}()
	p.ended = ended
	return nil
}

func (p *process) log() string { return filepath.Join(p.folder, p.name+".log") }

// signal sends a signal; a process that is gone gets none.
func (p *process) signal(s syscall.Signal) { _ = p.cmd.Process.Signal(s) }

// kill is kill -9.
func (p *process) kill() {
	p.signal(syscall.SIGKILL)
	<-p.ended
}

// terminate sends SIGTERM and waits for the end.
func (p *process) terminate(patience time.Duration) error {
	p.signal(syscall.SIGTERM)
	select {
	case <-p.ended:
		if code := p.cmd.ProcessState.ExitCode(); code != 0 {
			return fmt.Errorf("%s ended with code %d: %s", p.name, code, p.lastWords())
		}
		return nil
	case <-time.After(patience):
		p.signal(syscall.SIGQUIT) // what its goroutines wait for stands in its log
		select {
		case <-p.ended:
		case <-time.After(5 * time.Second):
			p.kill()
		}
		return fmt.Errorf("%s did not stop within %v of SIGTERM", p.name, patience)
	}
}

// gone says whether the process has ended.
func (p *process) gone() bool {
	select {
	case <-p.ended:
		return true
	default:
		return false
	}
}

func (p *process) lastWords() string {
	text, _ := os.ReadFile(p.log())
	lines := strings.Split(strings.TrimSpace(string(text)), "\n")
	return strings.Join(lines[max(0, len(lines)-3):], "\n")
}
