package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/netip"

	"golang.org/x/sys/unix"

	"github.com/pona-realtime/pona/test/load/stamp"
)

// member is one Socket.IO client on a WebSocket.
type member struct {
	crowd  *crowd
	server netip.AddrPort
	fd     int
	number int
	phase  phase
	rest   []byte // read, and not yet a whole frame
	next   int    // sequence it waits for in this run
	asked  int64  // when it asked what is not answered yet; 0: nothing is
}

// A member passes through these in order.
type phase int

const (
	connecting phase = iota // TCP
	upgrading               // the HTTP answer is awaited
	joining                 // Engine.IO is open, or about to be
	joined                  // in its namespace
)

// ready takes what epoll says of the member's socket.
func (m *member) ready(events uint32) error {
	if m.phase == connecting {
		return m.upgrade()
	}
	if events&(unix.EPOLLIN|unix.EPOLLHUP|unix.EPOLLERR) == 0 {
		return nil
	}
	n, err := unix.Read(m.fd, m.crowd.buffer)
	switch {
	case errors.Is(err, unix.EAGAIN) || errors.Is(err, unix.EINTR):
		return nil
	case err != nil:
		return fmt.Errorf("read: %w", err)
	case n == 0:
		return fmt.Errorf("read: %w", io.ErrUnexpectedEOF)
	}
	at := stamp.Now()
	input := m.crowd.buffer[:n]
	if len(m.rest) > 0 {
		input = append(m.rest, input...)
	}
	used, err := m.read(input, at)
	m.rest = nil
	if used < len(input) {
		m.rest = bytes.Clone(input[used:])
	}
	return err
}

// upgrade asks for a WebSocket as a browser does, without offering compression.
func (m *member) upgrade() error {
	if code, err := unix.GetsockoptInt(m.fd, unix.SOL_SOCKET, unix.SO_ERROR); err != nil || code != 0 {
		return fmt.Errorf("connect: %w", errors.Join(err, unix.Errno(code)))
	}
	event := unix.EpollEvent{Events: unix.EPOLLIN, Fd: int32(m.fd)}
	if err := unix.EpollCtl(m.crowd.epoll, unix.EPOLL_CTL_MOD, m.fd, &event); err != nil {
		return fmt.Errorf("epoll: %w", err)
	}
	m.phase = upgrading
	return m.write(fmt.Appendf(nil, "GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\nHost: %s\r\n"+
		"Origin: http://%[1]s\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"+
		"Sec-WebSocket-Key: cG9uYSBiZW5jaCBub25jZQ==\r\nUser-Agent: Mozilla/5.0 (X11; Linux x86_64)\r\n"+
		"Accept-Encoding: gzip, deflate, br\r\nAccept-Language: en\r\nCache-Control: no-cache\r\n\r\n", m.server))
}

// write sends what is small enough for an empty socket buffer.
func (m *member) write(b []byte) error {
	n, err := unix.Write(m.fd, b)
	if err == nil && n < len(b) {
		err = io.ErrShortWrite
	}
	if err != nil {
		return fmt.Errorf("write: %w", err)
	}
	return nil
}

// read takes the frames at the start of input and says how much they took.
func (m *member) read(input []byte, at int64) (used int, err error) {
	if m.phase == upgrading {
		end := bytes.Index(input, []byte("\r\n\r\n"))
		if end < 0 {
			return 0, nil
		}
		if !bytes.HasPrefix(input, []byte("HTTP/1.1 101 ")) {
			return 0, fmt.Errorf("upgrade refused: %.200q", input)
		}
		m.phase, used = joining, end+4
	}
	for {
		op, payload, size, err := readFrame(input[used:])
		if err != nil || size == 0 {
			return used, err
		}
		used += size
		switch op {
		case opText:
			err = m.packet(payload, at)
		case opPing:
			err = m.write(frame(opPong, string(payload)))
		case opClose:
			err = fmt.Errorf("closed by the server: %q", payload)
		}
		if err != nil {
			return used, err
		}
	}
}

func (m *member) guild() uint64 { return m.crowd.first + uint64(m.number%m.crowd.guilds) }

// packet takes one Engine.IO packet.
func (m *member) packet(p []byte, at int64) error {
	switch {
	case bytes.HasPrefix(p, []byte("42")): // an event, far more often than anything else
		if s, ok := stamp.Read(p); ok {
			m.next = m.crowd.tally.add(s, m.next, at)
		}
	case bytes.HasPrefix(p, []byte("43")):
		m.answered(at)
	case bytes.HasPrefix(p, []byte("2")): // ping
		return m.write(frame(opText, "3"))
	case bytes.HasPrefix(p, []byte("0")): // open
		return m.write(frame(opText, fmt.Sprintf(`40/guild/%d,{"type":"Bearer","key":"user:%d"}`, m.guild(), 1000+m.number)))
	case bytes.HasPrefix(p, []byte("40/guild/")):
		m.phase = joined
		m.crowd.joining--
		m.crowd.joined++
	case bytes.HasPrefix(p, []byte("44")), bytes.HasPrefix(p, []byte("41")):
		return fmt.Errorf("refused: %.200q", p)
	}
	return nil
}
