package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/signal"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/time/rate"
)

// attackerRole as first argument makes this program a hostile client, in a process of its own.
const attackerRole = "attacker"

// What one hostile address has: an attack from many is what balancers are for.
const (
	attackerBandwidth   = 12_500_000 // bytes a second sent: 100 Mbit/s
	attackerConnections = 64         // at the same time
)

// attacker is one hostile address: one thread, bounded bandwidth and connections.
type attacker struct {
	ctx       context.Context // ends the attack
	server    string
	bandwidth *rate.Limiter
	sent      atomic.Int64 // bytes
	tries     atomic.Int64 // times that the attack was carried out, or a part of an endless one
}

// attackReport is the line with which an attacker ends.
type attackReport struct {
	Sent  int64   `json:"sent_bytes"`
	Tries int64   `json:"tries"`
	CPU   float64 `json:"cpu_s"`
	Took  float64 `json:"took_s"`
}

// serveAttack attacks until it is told to stop. args are the attack's name and the server's address.
func serveAttack(args []string) error {
	if len(args) != 2 {
		return fmt.Errorf("%s: want ATTACK ADDRESS", attackerRole)
	}
	all := attacks()
	i := slices.IndexFunc(all, func(a attack) bool { return a.name == args[0] })
	if i < 0 {
		return fmt.Errorf("%s: there is no attack %q", attackerRole, args[0])
	}
	runtime.GOMAXPROCS(1)
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	a := &attacker{ctx: ctx, server: args[1], bandwidth: rate.NewLimiter(attackerBandwidth, 1<<20)}
	attack, began := all[i], time.Now()
	fmt.Println("attacking") // the siege waits for that
	var group sync.WaitGroup
	for range attackerConnections / max(attack.share, 1) {
		group.Go(func() {
			for ctx.Err() == nil {
				if err := attack.run(a); err != nil && ctx.Err() == nil {
					// The server has defended itself; a moment, so that a refusal does not become a loop that
					// burns the attacker's own processor.
					a.wait(time.Millisecond)
				}
			}
		})
	}
	group.Wait()
	var used syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &used); err != nil {
		return err
	}
	cpu := time.Duration(used.Utime.Nano() + used.Stime.Nano())
	return json.NewEncoder(os.Stdout).Encode(attackReport{a.sent.Load(), a.tries.Load(), cpu.Seconds(), time.Since(began).Seconds()})
}

// wait lasts for d, or to the attack's end.
func (a *attacker) wait(d time.Duration) {
	select {
	case <-time.After(d):
	case <-a.ctx.Done():
	}
}

// link is a connection of the attacker, closed at the attack's end.
type link struct {
	net.Conn
	a    *attacker
	in   *bufio.Reader
	stop func() bool
}

func (a *attacker) dial() (*link, error) {
	conn, err := (&net.Dialer{Timeout: 5 * time.Second}).DialContext(a.ctx, "tcp", a.server)
	if err != nil {
		return nil, err
	}
	_ = conn.(*net.TCPConn).SetLinger(0) // leaves no port in TIME_WAIT
	l := &link{Conn: conn, a: a, in: bufio.NewReader(conn)}
	l.stop = context.AfterFunc(a.ctx, func() { _ = conn.Close() })
	return l, nil
}

func (l *link) Close() error {
	l.stop()
	return l.Conn.Close()
}

// Write sends within the attacker's bandwidth.
func (l *link) Write(b []byte) (n int, err error) {
	for len(b) > 0 && err == nil {
		part := b[:min(len(b), 64<<10)]
		if err := l.a.bandwidth.WaitN(l.a.ctx, len(part)); err != nil {
			return n, err
		}
		var m int
		m, err = l.Conn.Write(part)
		l.a.sent.Add(int64(m))
		n, b = n+m, b[m:]
	}
	return n, err
}

// repeat writes b until the server ends the connection, whose answers are read and dropped.
func (l *link) repeat(b []byte) error {
	go func() {
		_ = l.ended()
		_ = l.Close() // what follows would only be thrown away
	}()
	for {
		if _, err := l.Write(b); err != nil {
			return err
		}
		l.a.tries.Add(1)
	}
}

// ended waits until the server has closed.
func (l *link) ended() error {
	_, err := io.Copy(io.Discard, l.in)
	return err
}

// webSocket opens a session on WebSocket; headers end in CRLF.
func (a *attacker) webSocket(query, headers string) (*link, error) {
	l, err := a.dial()
	if err != nil {
		return nil, err
	}
	_, err = fmt.Fprintf(l, "GET /socket.io/?EIO=4&transport=websocket%s HTTP/1.1\r\nHost: %s\r\nConnection: Upgrade\r\n"+
		"Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: cG9uYSBiZW5jaCBub25jZQ==\r\n%s\r\n", query, a.server, headers)
	if err == nil {
		var r *http.Response
		if r, err = http.ReadResponse(l.in, nil); err == nil && r.StatusCode != http.StatusSwitchingProtocols {
			err = fmt.Errorf("refused with %s", r.Status)
		}
	}
	if err != nil {
		_ = l.Close()
		return nil, err
	}
	return l, nil
}

// joined opens a session on WebSocket and joins a guild.
func (a *attacker) joined(query, headers string) (*link, error) {
	l, err := a.webSocket(query, headers)
	if err == nil {
		_, err = l.Write(frame(opText, enterGuild))
	}
	return l, err
}

// request does one request on the connection and returns the answer's body.
func (l *link) request(method, query, body string) (string, error) {
	head := fmt.Sprintf("%s /socket.io/?EIO=4&transport=polling%s HTTP/1.1\r\nHost: %s\r\nContent-Length: %d\r\n\r\n", method, query, l.a.server, len(body))
	if _, err := l.Write([]byte(head + body)); err != nil {
		return "", err
	}
	r, err := http.ReadResponse(l.in, nil)
	if err != nil {
		return "", err
	}
	text, err := io.ReadAll(r.Body)
	if err == nil && r.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s: %.100s", r.Status, text)
	}
	return string(text), err
}

// polling opens a session on polling, joins a guild, and returns the query that names it.
func (a *attacker) polling() (*link, string, error) {
	l, err := a.dial()
	if err != nil {
		return nil, "", err
	}
	open, err := l.request(http.MethodGet, "", "")
	var sid string
	if err == nil {
		_, after, _ := strings.Cut(open, `"sid":"`)
		sid, _, _ = strings.Cut(after, `"`)
		_, err = l.request(http.MethodPost, "&sid="+sid, enterGuild)
	}
	if err != nil {
		_ = l.Close()
		return nil, "", err
	}
	return l, "&sid=" + sid, nil
}
