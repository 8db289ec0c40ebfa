package engineio

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

const forbidden = `{"code":4,"message":"Forbidden"}`

// TestOrderOfChecks gives each request two faults or more: the answer names the one checked first.
func TestOrderOfChecks(t *testing.T) {
	denied := errors.New("Forbidden")
	s := serve(t, Options{AllowRequest: func(*http.Request) error { return denied }})
	bad := "\x01"
	tests := []struct{ name, method, query, origin, want string }{
		{"the transport's name before Origin", "GET", "EIO=3&transport=abc&sid=none", bad, unknownTransport},
		{"Origin before the sid", "GET", "EIO=4&transport=polling&sid=none", bad, badRequest},
		{"the sid before the method", "PUT", "EIO=4&transport=polling&sid=none", "", unknownSession},
		{"the method before the upgrade headers", "POST", "EIO=4&transport=websocket", "", badHandshake},
		{"the upgrade headers before allowRequest", "GET", "EIO=4&transport=websocket", "", badRequest},
		{"allowRequest before EIO", "GET", "EIO=3&transport=polling", "", forbidden},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := httptest.NewRequestWithContext(t.Context(), tt.method, "/engine.io/?"+tt.query, nil)
			if tt.origin != "" {
				r.Header.Set("Origin", tt.origin) // net/http itself refuses such a one that comes over the wire
			}
			w := httptest.NewRecorder()
			s.engine.ServeHTTP(w, r)
			want := 400
			if tt.want == forbidden {
				want = 403
			}
			if w.Code != want || w.Body.String() != tt.want || w.Header().Get("Content-Type") != "application/json" {
				t.Errorf("%d %q %s", w.Code, w.Header().Get("Content-Type"), w.Body)
			}
		})
	}
}

// TestInvalidOrigin is not passed on. (net/http itself refuses such a one that comes over the wire.)
func TestInvalidOrigin(t *testing.T) {
	var heard *ConnectionError
	s := serve(t, Options{
		OnConnectionError: func(e *ConnectionError) { heard = e },
		AllowRequest:      func(*http.Request) error { t.Error("asked"); return nil },
	})
	for _, origin := range []string{"https://a\x00", "https://a\nb", "https://a\x7f"} {
		r := httptest.NewRequestWithContext(t.Context(), "GET", "/engine.io/?EIO=4&transport=polling", nil)
		r.Header.Set("Origin", origin)
		w := httptest.NewRecorder()
		s.engine.ServeHTTP(w, r)
		if w.Code != 400 || w.Body.String() != badRequest {
			t.Errorf("%q: %d %s", origin, w.Code, w.Body)
		}
		if heard == nil || heard.Context["name"] != "INVALID_ORIGIN" || heard.Context["origin"] != origin || heard.Request.Header.Get("Origin") != "" {
			t.Errorf("%q: heard %+v", origin, heard)
		}
	}
}

// TestConnectionErrorHook compares what the hook hears with the reference's connection_error.
func TestConnectionErrorHook(t *testing.T) {
	broken := errors.New("no entropy")
	var heard *ConnectionError
	s := serve(t, Options{
		OnConnectionError: func(e *ConnectionError) { heard = e },
		AllowRequest: func(r *http.Request) error {
			if r.URL.Query().Has("deny") {
				return errors.New("Not today")
			}
			return nil
		},
		GenerateID: func(r *http.Request) (string, error) {
			if r.URL.Query().Has("broken") {
				return "", broken
			}
			return NewID(), nil
		},
	})
	polling := s.open(t)
	tests := []struct {
		name, method, query, message string
		code                         Code
		context                      map[string]any
	}{
		{"unknown transport", "GET", "transport=abc", "Transport unknown", 0, map[string]any{"transport": "abc"}},
		{"unknown sid", "GET", "transport=polling&sid=x", "Session ID unknown", 1, map[string]any{"sid": "x"}},
		{"method", "POST", "transport=polling", "Bad handshake method", 2, map[string]any{"method": "POST"}},
		{"mismatch", "GET", strings.Replace(polling, "polling", "websocket", 1), "Bad request", 3,
			map[string]any{"name": "TRANSPORT_MISMATCH", "transport": "websocket", "previousTransport": "polling"}},
		{"EIO of a session", "GET", strings.Replace(polling, "EIO=4", "EIO=3", 1), "Bad request", 3,
			map[string]any{"name": "PROTOCOL_MISMATCH", "protocol": "3", "previousProtocol": "4"}},
		{"no upgrade", "GET", "transport=websocket", "Bad request", 3, map[string]any{"name": "TRANSPORT_HANDSHAKE_ERROR"}},
		{"the hook's message replaces it", "GET", "transport=polling&deny=", "Not today", 4, map[string]any{"message": "Not today"}},
		{"id", "GET", "EIO=4&transport=polling&broken=", "Bad request", 3, map[string]any{"name": "ID_GENERATION_ERROR", "error": broken}},
		{"EIO", "GET", "EIO=3&transport=polling", "Unsupported protocol version", 5, map[string]any{"protocol": "3"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			heard = nil
			s.do(t, tt.method, tt.query, "")
			if heard == nil || heard.Code != tt.code || heard.Message != tt.message || heard.Request == nil || len(heard.Context) != len(tt.context) {
				t.Fatalf("heard %+v", heard)
			}
			for name, want := range tt.context {
				if heard.Context[name] != want {
					t.Errorf("context %s is %v, want %v", name, heard.Context[name], want)
				}
			}
		})
	}
}

// TestAllowRequest also asks for a WebSocket: there the hook's message is the whole answer.
func TestAllowRequest(t *testing.T) {
	s := serve(t, Options{AllowRequest: func(*http.Request) error { return errors.New(`say "please"`) }})
	s.expect(t, "GET", "EIO=4&transport=polling", "", reply{403, `{"code":4,"message":"say \"please\""}`})
	s.expectRefusedWebSocket(t, fresh, nil, `say "please"`)
	if n := s.engine.Len(); n != 0 {
		t.Errorf("%d sessions", n)
	}
}

// TestAllowRequestIsOfHandshakesOnly: a session's further requests are not asked about, its upgrade neither.
func TestAllowRequestIsOfHandshakesOnly(t *testing.T) {
	var asked atomic.Int32
	s := serve(t, Options{AllowRequest: func(*http.Request) error {
		if asked.Add(1) > 1 {
			return errors.New("only the first")
		}
		return nil
	}})
	query := s.open(t)
	s.expect(t, "POST", query, "4a", reply{200, "ok"})
	s.expect(t, "GET", query, "", reply{200, "4a"})
	s.expect(t, "GET", query+"x", "", reply{400, unknownSession})
	conn := s.mustDial(t, upgradeQuery(query))
	write(t, conn, "2probe")
	if got := next(t, conn); got != "3probe" || asked.Load() != 1 {
		t.Errorf("got %q, asked %d times", got, asked.Load())
	}
}

// TestWebSocketWithoutProtocolVersion: the reference accepts the WebSocket first and writes an HTTP
// answer into it, which no client can read. Here the answer comes in the handshake's place.
func TestWebSocketWithoutProtocolVersion(t *testing.T) {
	s := quietSite(t)
	for _, query := range []string{"transport=websocket", "EIO=3&transport=websocket", "EIO=&transport=websocket"} {
		s.expectRefusedWebSocket(t, query, nil, "Unsupported protocol version")
	}
}

func TestWebSocketOfAnUnknownVersion(t *testing.T) {
	s := quietSite(t)
	s.expect(t, "GET", fresh, "", reply{400, "Bad request"}, "Connection", "Upgrade", "Upgrade", "websocket",
		"Sec-WebSocket-Version", "12", "Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ==")
	if n := s.engine.Len(); n != 0 {
		t.Errorf("%d sessions", n)
	}
}

// TestGenerateIDFails on both transports, with an error and with an id that is taken.
func TestGenerateIDFails(t *testing.T) {
	s := serve(t, Options{GenerateID: func(r *http.Request) (string, error) {
		if r.URL.Query().Has("broken") {
			return "", errors.New("broken")
		}
		return "always the same", nil
	}})
	s.expect(t, "GET", "EIO=4&transport=polling&broken=", "", reply{400, badRequest})
	s.expectRefusedWebSocket(t, fresh+"&broken=", nil, "Bad request")
	query := s.open(t)
	if !strings.HasSuffix(query, "always the same") {
		t.Errorf("session %q", query)
	}
	s.expect(t, "GET", "EIO=4&transport=polling", "", reply{400, badRequest})
	s.expectRefusedWebSocket(t, fresh, nil, "Bad request")
	if n := s.engine.Len(); n != 1 {
		t.Errorf("%d sessions", n)
	}
}

func TestMaxSessions(t *testing.T) {
	s := serve(t, Options{MaxSessions: 1})
	query := s.open(t)
	res, got := s.do(t, "GET", "EIO=4&transport=polling", "")
	if got != (reply{503, "Service Unavailable"}) || res.Header.Get("Retry-After") == "" {
		t.Errorf("%v, Retry-After %q", got, res.Header.Get("Retry-After"))
	}
	if _, res, err := s.dial(t, fresh); err == nil || res.StatusCode != 503 {
		t.Errorf("a WebSocket over the bound: %v", err)
	}
	s.expect(t, "POST", query, "1", reply{200, "ok"})
	<-s.ended
	s.open(t)
}

func TestOpenPacket(t *testing.T) {
	tests := []struct {
		name, query, want string
		opts              Options
	}{
		{"polling", "", `"upgrades":["websocket"],"pingInterval":25000,"pingTimeout":20000,"maxPayload":1000000}`, Options{PingInterval: 25 * time.Second}},
		{"upgrades off", "", `"upgrades":[],"pingInterval":300,"pingTimeout":200,"maxPayload":5}`,
			Options{DisableUpgrades: true, PingInterval: 300 * time.Millisecond, PingTimeout: 200 * time.Millisecond, MaxPayload: 5}},
		{"no WebSocket", "", `"upgrades":[],"pingInterval":60000,"pingTimeout":20000,"maxPayload":1000000}`, Options{DisableWebSocket: true}},
		{"the initial packet in the same response", "", "\"maxPayload\":1000000}\x1e4welcome", Options{InitialMessage: &Message{Data: []byte("welcome")}}},
		{"a binary one", "", "\"maxPayload\":1000000}\x1ebAQI=", Options{InitialMessage: &Message{Binary: true, Data: []byte{1, 2}}}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := serve(t, tt.opts)
			_, got := s.do(t, "GET", "EIO=4&transport=polling", "")
			if !strings.HasPrefix(got.body, `0{"sid":"`) || !strings.HasSuffix(got.body, tt.want) {
				t.Errorf("%s, want …%s", got.body, tt.want)
			}
		})
	}
	t.Run("the initial packet on WebSocket", func(t *testing.T) {
		s := serve(t, Options{InitialMessage: &Message{Data: []byte("welcome")}})
		if got := next(t, s.connect(t)); got != "4welcome" {
			t.Errorf("got %q", got)
		}
	})
}

// TestPath is served with and without a slash at its end, and nothing else is.
func TestPath(t *testing.T) {
	for _, configured := range []string{"/live", "/live/"} {
		s := serve(t, Options{Path: configured})
		for path, want := range map[string]int{"/live": 200, "/live/": 200, "/engine.io/": 404, "/live/x": 404, "/live/socket.io.js": 404, "/": 404} {
			res, err := s.Client().Get(s.URL + path + "?EIO=4&transport=polling")
			if err != nil {
				t.Fatal(err)
			}
			_ = res.Body.Close()
			if res.StatusCode != want {
				t.Errorf("path %q configured, %q answered %d, want %d", configured, path, res.StatusCode, want)
			}
		}
	}
}

func TestRequestOfASession(t *testing.T) {
	s := quietSite(t)
	query := url.Values{"EIO": {"4"}, "transport": {"polling"}, "name": {"Grüße & so", "second"}, "empty": {""}}.Encode()
	s.do(t, "GET", query, "", "X-Own", "1", "Authorization", "Bearer a:b", "Cookie", "a=1; b=2")
	r := (<-s.opened).Request()
	if q := r.Query(); q["name"] != "Grüße & so" || q["EIO"] != "4" || len(q) != 4 {
		t.Errorf("query %q", q)
	}
	h := r.Header()
	if h.Get("X-Own") != "1" || h.Get("Authorization") != "Bearer a:b" || h.Get("Cookie") != "a=1; b=2" || h.Get("Host") != strings.TrimPrefix(s.URL, "http://") {
		t.Errorf("headers %q", h)
	}
	if r.URL != "/engine.io/?"+query || !strings.HasPrefix(r.RemoteAddr, "127.0.0.1:") || r.Secure || r.Issued.IsZero() {
		t.Errorf("%+v", r)
	}
}

func TestRequestHeadersThatAreKept(t *testing.T) {
	s := serve(t, Options{RequestHeaders: []string{"authorization", "X-None"}})
	s.do(t, "GET", "EIO=4&transport=polling", "", "X-Own", "1", "Authorization", "Bearer a")
	if h := (<-s.opened).Request().Header(); len(h) != 2 || h.Get("Authorization") != "Bearer a" || h.Get("Host") == "" {
		t.Errorf("headers %q", h)
	}
	all := quietSite(t)
	all.connect(t)
	for name := range (<-all.opened).Request().Header() {
		if name == "Upgrade" || name == "Connection" || strings.HasPrefix(name, "Sec-Websocket-") {
			t.Errorf("%s is kept", name)
		}
	}
}
