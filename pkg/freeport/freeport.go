// Package freeport finds TCP ports for servers that cannot take port 0 and say which one they got: programs of
// others, and servers that shall come back on the same port.
//
// A port that was free a moment ago may be somebody else's by the time a server binds it. These are below those
// that Linux hands out by itself (32768 and up, net.ipv4.ip_local_port_range), and each is kept from other
// callers, in any process, by the UDP port of its number.
package freeport

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"strconv"
	"sync"
)

// The second port of a Redis Cluster's node, 10000 above the first, stays below 32768 too and is no other's first.
const (
	lowest = 11000
	count  = 10000
	tries  = 1000
)

// kept are the UDP sockets of the ports that were taken; they close with the process.
var kept struct {
	sync.Mutex
	sockets []net.PacketConn
}

// Take returns the address, host and port, of a loopback port that nobody listens on. It is the caller's until the
// process ends. Safe for concurrent use.
func Take() (string, error) {
	var last error
	for range tries {
		address := net.JoinHostPort("127.0.0.1", strconv.Itoa(lowest+rand.IntN(count)))
		socket, err := net.ListenPacket("udp4", address)
		if err != nil {
			last = err
			continue
		}
		listener, err := net.Listen("tcp4", address)
		if err != nil {
			last = errors.Join(err, socket.Close())
			continue
		}
		if err := listener.Close(); err != nil {
			return "", errors.Join(err, socket.Close())
		}
		kept.Lock()
		defer kept.Unlock()
		kept.sockets = append(kept.sockets, socket)
		return address, nil
	}
	return "", fmt.Errorf("no free port of 127.0.0.1 in %d tries between %d and %d: %w", tries, lowest, lowest+count-1, last)
}

// TakeN is Take for n ports, all different.
func TakeN(n int) ([]string, error) {
	addresses := make([]string, n)
	for i := range addresses {
		var err error
		if addresses[i], err = Take(); err != nil {
			return nil, err
		}
	}
	return addresses, nil
}
