package main

import (
	"fmt"
	"net/rpc"
	"os"
	"os/exec"
	"syscall"
)

// perProcess is how many listeners in Go share a process: each may need two files, polling with
// connections to several edges.
const perProcess = 5000

// audience is listeners in another process.
type audience interface {
	// missing counts those that do not have the number of their guild.
	missing(goals map[uint64]int) (int, error)
	// take sums up what all saw since the last call.
	take() (Tally, error)
	// cut ends every connection as a change of networks does.
	cut() error
	stop()
}

// crowdProcess is a process of listeners in Go, this very program.
type crowdProcess struct {
	command *exec.Cmd
	rpc     *rpc.Client
}

// startCrowd starts as many processes as the plan's clients need.
func startCrowd(p CrowdPlan) (all []*crowdProcess, err error) {
	left := p.Clients
	p.Rate /= float64((left + perProcess - 1) / perProcess) // each its part
	for ; left > 0; left -= p.Clients {
		p.Clients = min(left, perProcess)
		c, err := startCrowdProcess(p)
		if err != nil {
			return all, err
		}
		all = append(all, c)
		p.First += p.Clients
	}
	return all, nil
}

func startCrowdProcess(p CrowdPlan) (*crowdProcess, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	c := &crowdProcess{command: exec.Command(self)}
	c.command.Env = append(os.Environ(), crowdVariable+"=1")
	c.command.Stderr = os.Stderr
	c.command.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // an interrupt at the terminal is ours to pass on
	stdin, err := c.command.StdinPipe()
	if err != nil {
		return nil, err
	}
	stdout, err := c.command.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := c.command.Start(); err != nil {
		return nil, fmt.Errorf("start a crowd: %w", err)
	}
	c.rpc = rpc.NewClient(duplex{stdout, stdin})
	if err := c.rpc.Call("Crowd.Join", p, new(int)); err != nil {
		c.stop()
		return nil, fmt.Errorf("start a crowd: %w", err)
	}
	return c, nil
}

func (c *crowdProcess) missing(goals map[uint64]int) (missing int, err error) {
	err = c.rpc.Call("Crowd.Missing", goals, &missing)
	return missing, err
}

func (c *crowdProcess) take() (sum Tally, err error) {
	err = c.rpc.Call("Crowd.Take", 0, &sum)
	return sum, err
}

func (c *crowdProcess) cut() error { return c.rpc.Call("Crowd.Cut", 0, new(int)) }

// stall lets every fifth client stop reading until resume.
func (c *crowdProcess) stall() (stalled int, err error) {
	err = c.rpc.Call("Crowd.Stall", 0, &stalled)
	return stalled, err
}

func (c *crowdProcess) resume() error { return c.rpc.Call("Crowd.Resume", 0, new(int)) }

func (c *crowdProcess) stop() {
	_ = c.rpc.Close()
	_ = c.command.Wait()
}
