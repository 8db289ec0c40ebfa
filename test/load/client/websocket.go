package client

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"sync"
	"time"

	"github.com/gorilla/websocket"
)

// webSocket carries a packet in each message.
type webSocket struct {
	conn     *websocket.Conn
	patience time.Duration
	writing  sync.Mutex
}

// writeBuffers are shared: a client writes seldom.
var writeBuffers sync.Pool

// dialWebSocket opens a session, or the WebSocket that a polling session upgrades to.
func dialWebSocket(ctx context.Context, o Options, sid string) (*webSocket, []byte, error) {
	dialer := websocket.Dialer{
		NetDialContext: o.dial, NetDialTLSContext: o.dialTLS, Proxy: http.ProxyFromEnvironment,
		EnableCompression: o.Compress, HandshakeTimeout: o.Patience,
		ReadBufferSize: 1024, WriteBufferSize: 1024, WriteBufferPool: &writeBuffers,
	}
	conn, response, err := dialer.DialContext(ctx, o.endpoint("websocket", sid), o.Header)
	if response != nil {
		defer response.Body.Close()
	}
	if errors.Is(err, websocket.ErrBadHandshake) {
		err = fmt.Errorf("WebSocket refused: %s", response.Status)
	}
	if err != nil {
		return nil, nil, plain(err)
	}
	w := &webSocket{conn: conn, patience: o.Patience}
	if sid != "" {
		return w, nil, nil
	}
	packets, err := w.read(o.Patience)
	if err != nil {
		w.abort()
		return nil, nil, err
	}
	return w, packets[0], nil
}

// upgrade moves a polling session to a WebSocket, while no poll is under way (§ Upgrade mechanism).
func upgrade(ctx context.Context, o Options, sid string) (*webSocket, error) {
	w, _, err := dialWebSocket(ctx, o, sid)
	if err != nil {
		return nil, fmt.Errorf("upgrade: %w", err)
	}
	err = w.write("2probe")
	var answer [][]byte
	if err == nil {
		answer, err = w.read(o.Patience)
	}
	if err == nil && string(answer[0]) != "3probe" {
		err = fmt.Errorf("answer to the probe: %.100q", answer[0])
	}
	if err == nil {
		err = w.write("5")
	}
	if err != nil {
		w.abort()
		return nil, fmt.Errorf("upgrade: %w", err)
	}
	return w, nil
}

func (w *webSocket) read(silence time.Duration) ([][]byte, error) {
	_ = w.conn.SetReadDeadline(time.Now().Add(silence))
	_, message, err := w.conn.ReadMessage()
	if err != nil {
		return nil, plain(err)
	}
	return [][]byte{message}, nil
}

func (w *webSocket) write(packet string) error {
	w.writing.Lock()
	defer w.writing.Unlock()
	_ = w.conn.SetWriteDeadline(time.Now().Add(w.patience))
	return plain(w.conn.WriteMessage(websocket.TextMessage, []byte(packet)))
}

func (w *webSocket) abort() { _ = w.conn.Close() }

// endpoint is the address of a transport.
func (o Options) endpoint(transport, sid string) string {
	u := *o.URL
	if u.Path == "" || u.Path == "/" {
		u.Path = "/socket.io/"
	}
	query := u.Query()
	query.Set("EIO", "4")
	query.Set("transport", transport)
	if sid != "" {
		query.Set("sid", sid)
	}
	u.RawQuery = query.Encode()
	if transport == "websocket" {
		u.Scheme = map[string]string{"http": "ws", "https": "wss"}[u.Scheme]
	}
	return u.String()
}

// plain says what went wrong without addresses, so that a thousand failures of one kind are one kind.
func plain(err error) error {
	var network *net.OpError
	var address *url.Error
	var timeout net.Error
	switch {
	case err == nil, errors.Is(err, context.Canceled):
		return err
	case errors.As(err, &timeout) && timeout.Timeout():
		return errors.New("timed out")
	case errors.As(err, &network):
		return fmt.Errorf("%s: %w", network.Op, network.Err)
	case errors.As(err, &address):
		return address.Err
	}
	return err
}
