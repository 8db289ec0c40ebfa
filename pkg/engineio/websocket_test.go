package engineio

import (
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/websocket"
)

const fresh = "EIO=4&transport=websocket"

// dial opens a WebSocket; it ends with the test, before the site does.
func (s *site) dial(t *testing.T, query string) (*websocket.Conn, *http.Response, error) {
	t.Helper()
	conn, res, err := websocket.DefaultDialer.DialContext(t.Context(), "ws"+strings.TrimPrefix(s.URL, "http")+"/engine.io/?"+query, nil)
	if err == nil {
		t.Cleanup(func() { _ = conn.Close() })
		_ = conn.SetReadDeadline(time.Now().Add(20 * time.Second)) // rather than hang
	}
	return conn, res, err
}

func (s *site) mustDial(t *testing.T, query string) *websocket.Conn {
	t.Helper()
	conn, _, err := s.dial(t, query)
	if err != nil {
		t.Fatal(err)
	}
	return conn
}

// connect starts a session on WebSocket, past its handshake.
func (s *site) connect(t *testing.T) *websocket.Conn {
	t.Helper()
	conn := s.mustDial(t, fresh)
	if text := next(t, conn); !strings.HasPrefix(text, `0{"sid":"`) || !strings.Contains(text, `"upgrades":[]`) {
		t.Fatalf("handshake %q", text)
	}
	return conn
}

func write(t *testing.T, conn *websocket.Conn, text string) {
	t.Helper()
	if err := conn.WriteMessage(websocket.TextMessage, []byte(text)); err != nil {
		t.Fatal(err)
	}
}

func next(t *testing.T, conn *websocket.Conn) string {
	t.Helper()
	_, data, err := conn.ReadMessage()
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// expectClose reads until the WebSocket is closed, and compares the code.
func expectClose(t *testing.T, conn *websocket.Conn, want int) {
	t.Helper()
	for {
		_, _, err := conn.ReadMessage()
		var closed *websocket.CloseError
		switch {
		case err == nil: // a ping
		case !errors.As(err, &closed) || closed.Code != want:
			t.Errorf("closed with %v, want code %d", err, want)
			return
		default:
			return
		}
	}
}

func TestWebSocketRefusals(t *testing.T) {
	s := quietSite(t)
	tests := []struct{ name, query, want string }{
		{"unknown transport", "EIO=4&transport=abc", "Transport unknown"},
		{"no transport", "EIO=4", "Transport unknown"},
		{"unknown sid", fresh + "&sid=none", "Session ID unknown"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, res, err := s.dial(t, tt.query)
			if !errors.Is(err, websocket.ErrBadHandshake) {
				t.Fatalf("dial: %v", err)
			}
			body, err := io.ReadAll(res.Body)
			if err != nil || res.StatusCode != 400 || res.Header.Get("Content-Type") != "text/html" || string(body) != tt.want {
				t.Errorf("%d %q %q, %v; want 400 text/html %q", res.StatusCode, res.Header.Get("Content-Type"), body, err, tt.want)
			}
		})
	}
	t.Run("transport=polling", func(t *testing.T) {
		expectClose(t, s.mustDial(t, "EIO=4&transport=polling"), websocket.CloseNoStatusReceived)
	})
	t.Run("bytes before the answer", func(t *testing.T) {
		conn := s.rawRequest(t, "GET /engine.io/?"+fresh+" HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"+
			"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\nrubbish")
		if got, err := io.ReadAll(conn); err != nil || len(got) > 0 {
			t.Errorf("answered %q, %v", got, err)
		}
		waitFor(t, func() bool { return s.engine.Len() == 0 }) // the connection is closed first
	})
}

// TestSubprotocols: the first that is offered is agreed to, for a session and for an upgrade; without an
// offer there is none.
func TestSubprotocols(t *testing.T) {
	s := quietSite(t)
	for _, offered := range [][]string{{"v1.example"}, {"v2.example", "v1.example"}, nil} {
		for name, query := range map[string]string{"a session": fresh, "an upgrade": strings.Replace(s.open(t), "polling", "websocket", 1)} {
			dialer := websocket.Dialer{Subprotocols: offered}
			conn, _, err := dialer.DialContext(t.Context(), "ws"+strings.TrimPrefix(s.URL, "http")+"/engine.io/?"+query, nil)
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			if want := append(offered, "")[0]; conn.Subprotocol() != want {
				t.Errorf("%s: %q was offered, %q agreed to", name, offered, conn.Subprotocol())
			}
		}
	}
}

func TestWebSocketEndings(t *testing.T) {
	tests := []struct {
		name, text string
		reason     Reason
		code       int
	}{
		{"close", "1", ReasonTransportClose, 1005},
		{"unknown type", "abc", ReasonParseError, 1005},
		{"number without a type", "9", ReasonParseError, 1005},
		{"empty", "", ReasonParseError, 1005},
		{"ping", "2", ReasonTransportError, 1005},
		{"too large", "4" + strings.Repeat("a", 1e6), ReasonTransportError, 1009},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := quietSite(t)
			conn := s.connect(t)
			write(t, conn, tt.text)
			expectClose(t, conn, tt.code)
			if reason := <-s.ended; reason != tt.reason {
				t.Errorf("ended with %q, want %q", reason, tt.reason)
			}
		})
	}
}

// TestWebSocketPingTimeout sends what is no pong, and must not count as one.
func TestWebSocketPingTimeout(t *testing.T) {
	for _, text := range []string{"0", "5", "6"} {
		t.Run(text, func(t *testing.T) {
			t.Parallel()
			s := impatientSite(t)
			conn := s.connect(t)
			write(t, conn, text)
			if got := next(t, conn); got != "2" {
				t.Errorf("got %q, want a ping", got)
			}
			expectClose(t, conn, websocket.CloseNoStatusReceived)
			if reason := <-s.ended; reason != ReasonPingTimeout {
				t.Errorf("ended with %q", reason)
			}
		})
	}
}

func TestWebSocketEcho(t *testing.T) {
	largest := "4" + strings.Repeat("a", 1e6-1)
	tests := []struct{ name, text, want string }{
		{"text", "4hello", "4hello"},
		{"base64", "bAQI=", "\x01\x02"},
		{"as large as allowed", largest, largest},
	}
	s := quietSite(t)
	conn := s.connect(t)
	for _, tt := range tests {
		write(t, conn, tt.text)
		if got := next(t, conn); got != tt.want {
			t.Errorf("%s: got %d bytes %.20q", tt.name, len(got), got)
		}
	}
}

// TestRawFrames writes frames by hand (RFC 6455, § 5.2), masked with zeros.
func TestRawFrames(t *testing.T) {
	const mask = "\x00\x00\x00\x00"
	tests := []struct {
		name, bytes string
		code        int    // of the close; 0: none
		want        string // the echo
	}{
		{"invalid UTF-8", "\x81\x82" + mask + "4\xff", 1007, ""},
		{"unmasked", "\x81\x024a", 1002, ""},
		{"RSV1 without deflate", "\xc1\x82" + mask + "4a", 1002, ""},
		{"reserved opcode", "\x83\x80" + mask, 1002, ""},
		{"ping", "\x89\x80" + mask + "\x81\x82" + mask + "4a", 0, "4a"},
		{"fragmented", "\x01\x82" + mask + "4a\x80\x81" + mask + "b", 0, "4ab"},
	}
	s := quietSite(t)
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			conn := s.connect(t)
			if _, err := conn.NetConn().Write([]byte(tt.bytes)); err != nil {
				t.Fatal(err)
			}
			if tt.code != 0 {
				expectClose(t, conn, tt.code)
			} else if got := next(t, conn); got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}

// expectRefusedWebSocket asks for a WebSocket and wants the plain answer "400 text/html".
func (s *site) expectRefusedWebSocket(t *testing.T, query string, header http.Header, want string) {
	t.Helper()
	_, res, err := websocket.DefaultDialer.DialContext(t.Context(), "ws"+strings.TrimPrefix(s.URL, "http")+"/engine.io/?"+query, header)
	if !errors.Is(err, websocket.ErrBadHandshake) {
		t.Fatalf("dial: %v", err)
	}
	body, err := io.ReadAll(res.Body)
	if err != nil || res.StatusCode != 400 || res.Header.Get("Content-Type") != "text/html" || string(body) != want || !res.Close {
		t.Errorf("%d %q %q, %v; want 400 text/html %q and the end of the connection", res.StatusCode, res.Header.Get("Content-Type"), body, err, want)
	}
}
