package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
)

// stockPerProcess is how many official clients share a Node process.
const stockPerProcess = 100

// stock is a Node process of official clients; their logs are held against the promise here.
type stock struct {
	verifiers []*verifier
	command   *exec.Cmd
	stdin     io.WriteCloser
	read      chan struct{} // closed when all its output was read
}

// startStock starts n official clients, in as many processes as they need. folder holds clients.js.
func startStock(folder, url string, guilds, n int) (all []*stock, err error) {
	for n > 0 {
		s, err := startStockProcess(folder, url, guilds, min(n, stockPerProcess))
		if err != nil {
			return all, err
		}
		all = append(all, s)
		n -= len(s.verifiers)
	}
	return all, nil
}

func startStockProcess(folder, url string, guilds, n int) (*stock, error) {
	options, err := json.Marshal(map[string]any{"url": url, "first": strconv.Itoa(firstGuild), "guilds": guilds, "clients": n})
	if err != nil {
		return nil, err
	}
	s := &stock{command: exec.Command("node", filepath.Join(folder, "clients.js"), string(options)), read: make(chan struct{})}
	for i := range n {
		s.verifiers = append(s.verifiers, &verifier{name: fmt.Sprint("official client ", i), guild: firstGuild + uint64(i%guilds)})
	}
	if s.stdin, err = s.command.StdinPipe(); err != nil {
		return nil, err
	}
	stdout, err := s.command.StdoutPipe()
	if err != nil {
		return nil, err
	}
	s.command.Stderr = os.Stderr
	if err := s.command.Start(); err != nil {
		return nil, fmt.Errorf("start Node: %w", err)
	}
	go func() {
		defer close(s.read)
		lines := bufio.NewScanner(stdout)
		lines.Buffer(nil, 4<<20)
		for lines.Scan() {
			s.note(lines.Text())
		}
	}()
	return s, nil
}

// note takes a line of clients.js.
func (s *stock) note(line string) {
	words := strings.Fields(line)
	if len(words) < 2 {
		return
	}
	n, err := strconv.Atoi(words[0])
	if err != nil || n < 0 || n >= len(s.verifiers) {
		return
	}
	switch v := s.verifiers[n]; {
	case words[1] == "c" && len(words) == 3:
		v.connect(words[2] == "1", "") // the balancer does not say where
	case words[1] == "d":
		v.disconnect()
	case words[1] == "e" && len(words) == 4:
		observe(v, words[2], words[3])
	}
}

func (s *stock) missing(goals map[uint64]int) (missing int, err error) {
	select {
	case <-s.read:
		return len(s.verifiers), errors.New("a process of official clients has ended")
	default:
	}
	for _, v := range s.verifiers {
		if !v.has(goals[v.guild]) {
			missing++
		}
	}
	return missing, nil
}

func (s *stock) take() (sum Tally, err error) {
	for _, v := range s.verifiers {
		sum.add(v.take())
	}
	return sum, nil
}

func (s *stock) cut() error {
	_, err := io.WriteString(s.stdin, "cut\n")
	return err
}

func (s *stock) stop() {
	_ = s.stdin.Close()
	<-s.read
	_ = s.command.Wait()
}
