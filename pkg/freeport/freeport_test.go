package freeport

import (
	"bufio"
	"net"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
)

// Run as a program of its own, the test takes ports, says which and holds them until its input ends.
func TestMain(m *testing.M) {
	if os.Getenv("FREEPORT_TEST_TAKES") == "" {
		os.Exit(m.Run())
	}
	addresses, err := TakeN(200)
	if err != nil {
		panic(err)
	}
	_, _ = os.Stdout.WriteString(strings.Join(addresses, " ") + "\n")
	_, _ = os.Stdin.Read(make([]byte, 1))
}

// Of 10 000 ports, two processes that took 200 each without heeding one another would share one nearly always.
func TestNoPortIsTakenTwice(t *testing.T) {
	var (
		mu    sync.Mutex
		taken = map[string]bool{}
		all   sync.WaitGroup

		together sync.WaitGroup
	)
	together.Add(4)
	take := func(addresses []string) {
		mu.Lock()
		defer mu.Unlock()
		for _, address := range addresses {
			if taken[address] {
				t.Errorf("%s was taken twice", address)
			}
			taken[address] = true
		}
	}
	for range 4 {
		c := exec.Command(os.Args[0])
		c.Env = append(os.Environ(), "FREEPORT_TEST_TAKES=1")
		input, err := c.StdinPipe()
		if err != nil {
			t.Fatal(err)
		}
		output, err := c.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := c.Start(); err != nil {
			t.Fatal(err)
		}
		all.Go(func() {
			line, err := bufio.NewReader(output).ReadString('\n')
			if err != nil {
				t.Error(err)
			}
			take(strings.Fields(line))
			together.Done()
			together.Wait() // and only then gives them up
			_ = input.Close()
			if err := c.Wait(); err != nil {
				t.Error(err)
			}
		})
	}
	for range 4 {
		all.Go(func() {
			addresses, err := TakeN(50)
			if err != nil {
				t.Error(err)
			}
			take(addresses)
		})
	}
	all.Wait()
	if len(taken) != 1000 {
		t.Errorf("%d ports", len(taken))
	}
}

func TestAPortCanBeListenedOn(t *testing.T) {
	address, err := Take()
	if err != nil {
		t.Fatal(err)
	}
	for range 2 { // and again, as a server does that comes back
		l, err := net.Listen("tcp", address)
		if err != nil {
			t.Fatal(err)
		}
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
	}
}
