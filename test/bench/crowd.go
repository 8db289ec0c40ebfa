package main

import (
	"errors"
	"fmt"
	"net/netip"
	"time"

	"golang.org/x/sys/unix"
)

// crowd is many Socket.IO clients driven by one thread with epoll, so that measuring a thousand
// sockets costs the machine little beside the server that is measured. Its methods belong to one
// goroutine.
type crowd struct {
	servers []netip.AddrPort // each guild's clients take them in turn
	first   uint64           // guild of client 0
	guilds  int              // client i joins /guild/<first + i % guilds>

	epoll   int
	events  []unix.EpollEvent
	buffer  []byte
	members []*member
	byFD    map[int32]*member

	joined  int   // members in their namespace now
	joining int   // members on their way
	lost    error // why the first lost member was lost
	spin    bool  // never sleep

	tally     tally
	questions questions
}

// newCrowd makes a crowd of nobody for servers on loopback.
func newCrowd(servers []string, first uint64, guilds int) (*crowd, error) {
	addresses := make([]netip.AddrPort, len(servers))
	for i, server := range servers {
		var err error
		if addresses[i], err = netip.ParseAddrPort(server); err != nil {
			return nil, err
		}
	}
	epoll, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return nil, fmt.Errorf("epoll: %w", err)
	}
	return &crowd{
		servers: addresses, first: first, guilds: guilds,
		epoll: epoll, events: make([]unix.EpollEvent, 512), buffer: make([]byte, 256<<10), byFD: make(map[int32]*member),
	}, nil
}

// joinsAtOnce bounds how many members are on their way at the same time.
const joinsAtOnce = 128

// grow adds n members and returns when all have joined.
func (c *crowd) grow(n int, limit time.Duration) error {
	target := c.joined + n
	err := c.drive(limit, func() bool {
		for c.lost == nil && c.joining < joinsAtOnce && c.joined+c.joining < target {
			c.lost = c.dial()
		}
		return c.joined == target
	})
	if err != nil {
		return fmt.Errorf("%d of %d clients joined: %w", c.joined, target, err)
	}
	return nil
}

// dial starts one more member.
func (c *crowd) dial() error {
	n := len(c.members)
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("socket %d: %w", n, err)
	}
	m := &member{crowd: c, server: c.servers[n/c.guilds%len(c.servers)], fd: fd, number: n}
	// Eight source addresses, so that ports last for any number of rounds.
	source := [4]byte{127, 0, 0, byte(2 + n%8)}
	err = errors.Join(
		unix.SetsockoptInt(fd, unix.IPPROTO_IP, unix.IP_BIND_ADDRESS_NO_PORT, 1),
		unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_NODELAY, 1),
		unix.Bind(fd, &unix.SockaddrInet4{Addr: source}),
	)
	if err == nil {
		err = unix.Connect(fd, &unix.SockaddrInet4{Port: int(m.server.Port()), Addr: m.server.Addr().As4()})
	}
	if err == nil || errors.Is(err, unix.EINPROGRESS) {
		event := unix.EpollEvent{Events: unix.EPOLLIN | unix.EPOLLOUT, Fd: int32(fd)}
		err = unix.EpollCtl(c.epoll, unix.EPOLL_CTL_ADD, fd, &event)
	}
	if err != nil {
		return errors.Join(fmt.Errorf("connect client %d: %w", n, err), unix.Close(fd))
	}
	c.members = append(c.members, m)
	c.byFD[int32(fd)] = m
	c.joining++
	return nil
}

// drive reads and answers until done says so, a member is lost, or the limit passes.
func (c *crowd) drive(limit time.Duration, done func() bool) error {
	deadline := time.Now().Add(limit)
	for !done() {
		c.ask()
		if c.lost != nil {
			return c.lost
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("nothing more came within %v", limit)
		}
		wait := 10 // ms
		if c.spin {
			wait = 0
		} else if c.questions.every > 0 {
			wait = 1
		}
		n, err := unix.EpollWait(c.epoll, c.events, wait)
		if err != nil && !errors.Is(err, unix.EINTR) {
			return fmt.Errorf("epoll: %w", err)
		}
		for _, event := range c.events[:max(n, 0)] {
			m := c.byFD[event.Fd]
			if m == nil {
				continue
			}
			if err := m.ready(event.Events); err != nil && c.lost == nil {
				c.lost = fmt.Errorf("client %d: %w", m.number, err)
			}
		}
	}
	return c.lost
}

// rest lets the members answer pings for a while.
func (c *crowd) rest(d time.Duration) error {
	until := time.Now().Add(d)
	return c.drive(d+time.Second, func() bool { return time.Now().After(until) })
}

// close resets every connection, which leaves no port in TIME_WAIT.
func (c *crowd) close() {
	for _, m := range c.members {
		_ = unix.SetsockoptLinger(m.fd, unix.SOL_SOCKET, unix.SO_LINGER, &unix.Linger{Onoff: 1})
		_ = unix.Close(m.fd)
	}
	_ = unix.Close(c.epoll)
}
