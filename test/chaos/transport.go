package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/gorilla/websocket"
)

// transport is an Engine.IO connection as a client has it.
type transport interface {
	// read returns the next packets; ctx's end and the connection's are errors.
	read(ctx context.Context) ([]string, error)
	write(ctx context.Context, packet string) error
	close()
}

const enginePath = "/socket.io/?EIO=4&transport="

// patience is how long a client waits for an answer or, on a connection, for anything at all; it is
// more than the stack's ping interval and timeout.
const patience = 20 * time.Second

// webSocket is a connection that started as WebSocket.
type webSocket struct{ conn *websocket.Conn }

// dialWebSocket connects; a small window makes the server feel soon that nobody reads.
func dialWebSocket(ctx context.Context, base string, small bool) (*webSocket, error) {
	dialer := websocket.Dialer{HandshakeTimeout: patience, ReadBufferSize: 1024, WriteBufferSize: 256}
	if small {
		dialer.NetDialContext = (&net.Dialer{Control: func(_, _ string, c syscall.RawConn) error {
			return c.Control(func(fd uintptr) { _ = syscall.SetsockoptInt(int(fd), syscall.SOL_SOCKET, syscall.SO_RCVBUF, 32<<10) })
		}}).DialContext
	}
	conn, response, err := dialer.DialContext(ctx, "ws"+strings.TrimPrefix(base, "http")+enginePath+"websocket", nil)
	if response != nil {
		_ = response.Body.Close()
	}
	if err != nil {
		return nil, err
	}
	return &webSocket{conn}, nil
}

func (w *webSocket) read(ctx context.Context) ([]string, error) {
	stop := context.AfterFunc(ctx, func() { _ = w.conn.Close() })
	defer stop()
	_ = w.conn.SetReadDeadline(time.Now().Add(patience))
	_, message, err := w.conn.ReadMessage()
	return []string{string(message)}, err
}

func (w *webSocket) write(_ context.Context, packet string) error {
	_ = w.conn.SetWriteDeadline(time.Now().Add(patience))
	return w.conn.WriteMessage(websocket.TextMessage, []byte(packet))
}

func (w *webSocket) close() { _ = w.conn.Close() }

// polling asks another edge with every request, as a balancer without affinity makes it.
type polling struct {
	target func() string
	sid    string

	mu     sync.Mutex
	cancel context.CancelFunc // of the poll under way
	closed bool
}

var pollClient = &http.Client{Timeout: 2 * patience, Transport: &http.Transport{MaxIdleConnsPerHost: 4096}}

func (p *polling) read(ctx context.Context) ([]string, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	p.mu.Lock()
	p.cancel = cancel
	closed := p.closed
	p.mu.Unlock()
	if closed {
		return nil, net.ErrClosed
	}
	body, err := p.ask(ctx, http.MethodGet, "")
	if err != nil {
		return nil, err
	}
	packets := strings.Split(body, "\x1e")
	if p.sid == "" {
		_, after, _ := strings.Cut(packets[0], `"sid":"`)
		p.sid, _, _ = strings.Cut(after, `"`)
	}
	return packets, nil
}

func (p *polling) write(ctx context.Context, packet string) error {
	_, err := p.ask(ctx, http.MethodPost, packet)
	return err
}

func (p *polling) ask(ctx context.Context, method, body string) (string, error) {
	url := p.target() + enginePath + "polling"
	if p.sid != "" {
		url += "&sid=" + p.sid
	}
	request, err := http.NewRequestWithContext(ctx, method, url, bytes.NewReader([]byte(body)))
	if err != nil {
		return "", err
	}
	response, err := pollClient.Do(request)
	if err != nil {
		return "", err
	}
	defer response.Body.Close()
	answer, err := io.ReadAll(response.Body)
	if err == nil && response.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s: %s %.100s", method, response.Status, answer)
	}
	return string(answer), err
}

func (p *polling) close() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.closed = true
	if p.cancel != nil {
		p.cancel()
	}
}

var errEnded = errors.New("the server has closed the session")
