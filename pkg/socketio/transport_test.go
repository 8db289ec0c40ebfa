package socketio

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/websocket"
)

// over runs a test on each way in which a client can be connected.
func over(t *testing.T, f func(t *testing.T, dial func(t *testing.T, address string) *client)) {
	t.Helper()
	for name, open := range map[string]func(*testing.T, string) transport{
		"websocket": dialWebSocket, "polling": dialPolling, "upgraded": dialUpgraded,
	} {
		t.Run(name, func(t *testing.T) {
			f(t, func(t *testing.T, address string) *client {
				t.Helper()
				return newClient(t, open(t, address))
			})
		})
	}
}

// webSocket is a transport.
type webSocket struct{ *websocket.Conn }

func dialWebSocket(t *testing.T, address string) transport {
	t.Helper()
	return dialWebSocketWith(t, address, nil)
}

func dialWebSocketWith(t *testing.T, address string, header http.Header) transport {
	t.Helper()
	ws, _, err := websocket.DefaultDialer.Dial(address, header)
	if err != nil {
		t.Fatal(err)
	}
	_ = ws.SetReadDeadline(time.Now().Add(patience))
	if _, open, err := ws.ReadMessage(); err != nil || !strings.HasPrefix(string(open), `0{"sid"`) {
		t.Fatalf("open packet %q, %v", open, err)
	}
	return webSocket{ws}
}

func (w webSocket) write(binary bool, data []byte) error {
	if binary {
		return w.WriteMessage(websocket.BinaryMessage, data)
	}
	return w.WriteMessage(websocket.TextMessage, append([]byte{'4'}, data...))
}

func (w webSocket) read() ([]byte, error) {
	for {
		kind, b, err := w.ReadMessage()
		switch {
		case websocket.IsCloseError(err, websocket.CloseNormalClosure, websocket.CloseNoStatusReceived):
			return nil, io.EOF
		case err != nil || kind == websocket.BinaryMessage:
			return b, err
		case b[0] == '4':
			return b[1:], nil
		case string(b) == "2":
			_ = w.WriteMessage(websocket.TextMessage, []byte("3"))
		}
	}
}

func (w webSocket) lose() { _ = w.NetConn().Close() }

// polling is a transport.
type polling struct {
	url     string // with the session's id
	http    *http.Client
	packets [][]byte // packets of the last poll
}

func dialPolling(t *testing.T, address string) transport {
	t.Helper()
	target := strings.Replace(strings.Replace(address, "ws", "http", 1), "transport=websocket", "transport=polling", 1)
	p := &polling{url: target, http: &http.Client{Transport: &http.Transport{}, Timeout: patience}}
	open, err := p.next()
	var handshake struct{ SID string }
	if err != nil || open[0] != '0' || json.Unmarshal(open[1:], &handshake) != nil {
		t.Fatalf("open packet %q, %v", open, err)
	}
	p.url += "&sid=" + handshake.SID
	return p
}

func (p *polling) write(binary bool, data []byte) error {
	packet := append([]byte{'4'}, data...)
	if binary {
		packet = base64.StdEncoding.AppendEncode([]byte{'b'}, data)
	}
	return p.post(packet)
}

func (p *polling) post(body []byte) error {
	r, err := p.http.Post(p.url, "text/plain;charset=UTF-8", bytes.NewReader(body))
	if err != nil {
		return err
	}
	answer, err := io.ReadAll(r.Body)
	_ = r.Body.Close()
	if err == nil && r.StatusCode != http.StatusOK {
		err = fmt.Errorf("POST answered %d %s", r.StatusCode, answer)
	}
	return err
}

func (p *polling) read() ([]byte, error) {
	for {
		b, err := p.next()
		if err != nil {
			return nil, err
		}
		switch b[0] {
		case '4':
			return b[1:], nil
		case 'b':
			return base64.StdEncoding.DecodeString(string(b[1:]))
		case '1':
			return nil, io.EOF
		case '2':
			if err := p.post([]byte("3")); err != nil {
				return nil, err
			}
		}
	}
}

// next is the next packet.
func (p *polling) next() ([]byte, error) {
	for len(p.packets) == 0 {
		r, err := p.http.Get(p.url)
		if err != nil {
			return nil, err
		}
		body, err := io.ReadAll(r.Body)
		_ = r.Body.Close()
		if err != nil {
			return nil, err
		}
		if r.StatusCode != http.StatusOK {
			return nil, fmt.Errorf("GET answered %d %s", r.StatusCode, body)
		}
		p.packets = bytes.Split(body, []byte{0x1e})
	}
	b := p.packets[0]
	p.packets = p.packets[1:]
	return b, nil
}

// lose goes away from a poll: that is what the server can see of a lost client, other than silence.
func (p *polling) lose() {
	u, err := url.Parse(p.url)
	if err != nil {
		panic(err)
	}
	conn, err := net.Dial("tcp", u.Host)
	if err != nil {
		return
	}
	_, _ = fmt.Fprintf(conn, "GET %s HTTP/1.1\r\nHost: %s\r\n\r\n", u.RequestURI(), u.Host)
	_ = conn.Close()
}

func (p *polling) Close() error {
	defer p.http.CloseIdleConnections()
	return p.post([]byte("1"))
}

// dialUpgraded begins with polling, as stock clients do.
func dialUpgraded(t *testing.T, address string) transport {
	t.Helper()
	p := dialPolling(t, address).(*polling)
	defer p.http.CloseIdleConnections()
	target := strings.Replace(strings.Replace(p.url, "http", "ws", 1), "transport=polling", "transport=websocket", 1)
	ws, _, err := websocket.DefaultDialer.Dial(target, nil)
	if err != nil {
		t.Fatal(err)
	}
	_ = ws.SetReadDeadline(time.Now().Add(patience))
	if err := ws.WriteMessage(websocket.TextMessage, []byte("2probe")); err != nil {
		t.Fatal(err)
	}
	if _, answer, err := ws.ReadMessage(); string(answer) != "3probe" {
		t.Fatalf("probe answered %q, %v", answer, err)
	}
	if err := ws.WriteMessage(websocket.TextMessage, []byte("5")); err != nil {
		t.Fatal(err)
	}
	return webSocket{ws}
}
