package engineio

import (
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/websocket"
)

func TestCookie(t *testing.T) {
	tests := []struct {
		name   string
		cookie Cookie
		want   string // SID stands for the session's id
	}{
		{"the reference's", Cookie{}, "io=SID; Path=/; HttpOnly; SameSite=Lax"},
		{"name and path", Cookie{Name: "sid", Path: "/live"}, "sid=SID; Path=/live; HttpOnly; SameSite=Lax"},
		{"sameSite", Cookie{SameSite: http.SameSiteNoneMode, Secure: true}, "io=SID; Path=/; HttpOnly; Secure; SameSite=None"},
		{"httpOnly off", Cookie{Scripted: true}, "io=SID; Path=/; SameSite=Lax"},
		{"maxAge and domain", Cookie{MaxAge: time.Minute, Domain: "pona.example"}, "io=SID; Path=/; Domain=pona.example; Max-Age=60; HttpOnly; SameSite=Lax"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := serve(t, Options{Cookie: &tt.cookie})
			res, _ := s.do(t, "GET", "EIO=4&transport=polling", "")
			sid := (<-s.opened).ID()
			if got := res.Header["Set-Cookie"]; len(got) != 1 || strings.Replace(got[0], sid, "SID", 1) != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
			query := "EIO=4&transport=polling&sid=" + sid
			for _, method := range []string{"POST", "GET"} {
				if res, _ := s.do(t, method, query, "4a"); res.Header["Set-Cookie"] != nil {
					t.Errorf("a later answer sets %q", res.Header["Set-Cookie"])
				}
			}
		})
	}
}

func TestCookieIsOfPollingOnly(t *testing.T) {
	s := serve(t, Options{Cookie: &Cookie{}})
	_, res, err := s.dial(t, fresh)
	if err != nil || res.Header["Set-Cookie"] != nil {
		t.Errorf("the 101 sets %q, %v", res.Header["Set-Cookie"], err)
	}
}

// TestHeaderHooks: "initial_headers once per session, headers on every response and on the 101; several
// Set-Cookie survive".
func TestHeaderHooks(t *testing.T) {
	s := serve(t, Options{
		Cookie: &Cookie{},
		InitialHeaders: func(h http.Header, r *http.Request) {
			h.Set("X-First", r.URL.Query().Get("transport"))
			h.Add("Set-Cookie", "a=1; Max-Age=86400")
			h.Add("Set-Cookie", "b=2; Path=/; HttpOnly; Secure; SameSite=Strict")
		},
		Headers: func(h http.Header, r *http.Request) { h.Set("X-Every", r.Method) },
	})
	res, _ := s.do(t, "GET", "EIO=4&transport=polling", "")
	cookies := res.Header["Set-Cookie"]
	if len(cookies) != 3 || !slices.Contains(cookies, "a=1; Max-Age=86400") || !slices.Contains(cookies, "b=2; Path=/; HttpOnly; Secure; SameSite=Strict") {
		t.Errorf("cookies %q", cookies)
	}
	expectHeaders(t, "handshake", res, "X-First", "polling", "X-Every", "GET", "Cache-Control", "no-store")
	query := "EIO=4&transport=polling&sid=" + (<-s.opened).ID()
	res, _ = s.do(t, "POST", query, "4a")
	expectHeaders(t, "POST", res, "X-First", "", "X-Every", "POST", "Cache-Control", "no-store", "Content-Type", "text/html", "Set-Cookie", "")
	res, _ = s.do(t, "GET", query, "")
	expectHeaders(t, "poll", res, "X-First", "", "X-Every", "GET", "Cache-Control", "no-store", "Content-Type", "text/plain; charset=UTF-8", "Set-Cookie", "")
	res, _ = s.do(t, "PUT", query, "")
	expectHeaders(t, "500", res, "X-First", "", "X-Every", "PUT", "Cache-Control", "no-store", "Content-Type", "")

	_, res, err := s.dial(t, upgradeQuery(query))
	if err != nil {
		t.Fatal(err)
	}
	expectHeaders(t, "the 101 of an upgrade", res, "X-First", "", "X-Every", "GET", "Cache-Control", "no-store")
	_, res, err = s.dial(t, fresh)
	if err != nil {
		t.Fatal(err)
	}
	expectHeaders(t, "the 101 of a handshake", res, "X-First", "websocket", "X-Every", "GET", "Cache-Control", "no-store")
	if cookies := res.Header["Set-Cookie"]; len(cookies) != 2 {
		t.Errorf("the 101 sets %q", cookies)
	}
}

// expectHeaders takes names and values in turn; "" means the header must not be there.
func expectHeaders(t *testing.T, name string, res *http.Response, want ...string) {
	t.Helper()
	for i := 0; i < len(want); i += 2 {
		if got := strings.Join(res.Header[want[i]], "|"); got != want[i+1] {
			t.Errorf("%s: %s is %q, want %q", name, want[i], got, want[i+1])
		}
	}
}

// originSite is a site for which the origin https://pona.example is a friend.
func originSite(t *testing.T, c CORS) *site {
	c.Origins = []string{"https://other.example", "https://pona.example"}
	return serve(t, Options{CORS: &c})
}

const friend, foreigner = "https://pona.example", "https://evil.example"

func TestCORSOfAnswers(t *testing.T) {
	full := CORS{Credentials: true, ExposedHeaders: []string{"X-One", "X-Two"}}
	tests := []struct {
		name, origin string
		cors         CORS
		want         []string
	}{
		{"any", friend, CORS{Origins: []string{"*"}}, []string{"Access-Control-Allow-Origin", "*", "Vary", "", "Access-Control-Allow-Credentials", ""}},
		{"list", friend, CORS{Origins: []string{"https://other.example", friend}}, []string{"Access-Control-Allow-Origin", friend, "Vary", "Origin"}},
		{"a foreign origin", foreigner, CORS{Origins: []string{friend}}, []string{"Access-Control-Allow-Origin", "", "Vary", "Origin"}},
		{"no origin", "", CORS{Origins: []string{friend}}, []string{"Access-Control-Allow-Origin", "", "Vary", "Origin"}},
		{"function", friend, CORS{AllowOrigin: func(o string) bool { return o == friend }}, []string{"Access-Control-Allow-Origin", friend, "Vary", "Origin"}},
		{"regular expression", friend, CORS{AllowOrigin: regexp.MustCompile(`^https://(\w+\.)?pona\.example$`).MatchString}, []string{"Access-Control-Allow-Origin", friend, "Vary", "Origin"}},
		{"function refuses", foreigner, CORS{AllowOrigin: func(o string) bool { return o == friend }}, []string{"Access-Control-Allow-Origin", ""}},
		{"credentials and exposed headers", friend, CORS{Origins: []string{friend}, Credentials: full.Credentials, ExposedHeaders: full.ExposedHeaders},
			[]string{"Access-Control-Allow-Origin", friend, "Access-Control-Allow-Credentials", "true", "Access-Control-Expose-Headers", "X-One,X-Two"}},
		{"an origin with credentials beside any", friend, CORS{Origins: []string{"*"}, CredentialOrigins: []string{friend}},
			[]string{"Access-Control-Allow-Origin", friend, "Vary", "Origin", "Access-Control-Allow-Credentials", "true"}},
		{"another than that", foreigner, CORS{Origins: []string{"*"}, CredentialOrigins: []string{friend}},
			[]string{"Access-Control-Allow-Origin", "*", "Vary", "Origin", "Access-Control-Allow-Credentials", ""}},
		{"beside others", friend, CORS{Origins: []string{"https://other.example"}, CredentialOrigins: []string{friend}},
			[]string{"Access-Control-Allow-Origin", friend, "Vary", "Origin", "Access-Control-Allow-Credentials", "true"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := serve(t, Options{CORS: &tt.cors})
			for what, query := range map[string]string{"handshake": "EIO=4&transport=polling", "refusal": "transport=abc"} {
				res, got := s.do(t, "GET", query, "", "Origin", tt.origin)
				if wanted := map[string]int{"handshake": 200, "refusal": 400}[what]; got.status != wanted {
					t.Errorf("%s: %v", what, got)
				}
				expectHeaders(t, what, res, tt.want...)
			}
		})
	}
}

func TestPreflight(t *testing.T) {
	const defaults = "GET,HEAD,PUT,PATCH,POST,DELETE"
	tests := []struct {
		name, origin string
		cors         CORS
		want         []string
	}{
		{"reflects the headers asked for", friend, CORS{}, []string{"Access-Control-Allow-Origin", friend,
			"Access-Control-Allow-Methods", defaults, "Access-Control-Allow-Headers", "x-a, x-b", "Vary", "Origin|Access-Control-Request-Headers", "Access-Control-Max-Age", ""}},
		{"a foreign origin gets no ACAO", foreigner, CORS{}, []string{"Access-Control-Allow-Origin", "", "Access-Control-Allow-Methods", defaults}},
		{"everything set", friend, CORS{Credentials: true, Methods: []string{"GET", "POST"}, AllowedHeaders: []string{"X-Mine"}, ExposedHeaders: []string{"X-Out"}, MaxAge: 10 * time.Minute},
			[]string{"Access-Control-Allow-Origin", friend, "Access-Control-Allow-Credentials", "true", "Access-Control-Allow-Methods", "GET,POST",
				"Access-Control-Allow-Headers", "X-Mine", "Access-Control-Expose-Headers", "X-Out", "Access-Control-Max-Age", "600", "Vary", "Origin"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := originSite(t, tt.cors)
			res, got := s.do(t, "OPTIONS", "EIO=4&transport=polling", "", "Origin", tt.origin,
				"Access-Control-Request-Method", "POST", "Access-Control-Request-Headers", "x-a, x-b")
			if got != (reply{204, ""}) {
				t.Errorf("%v", got)
			}
			expectHeaders(t, "preflight", res, tt.want...)
		})
	}
}

func TestOptionsWithoutCORS(t *testing.T) {
	serve(t, Options{}).expect(t, "OPTIONS", "EIO=4&transport=polling", "", reply{400, badHandshake})
}

// TestForeignOriginOnWebSocket: browsers do not apply CORS to WebSockets, so the server must where
// that is wanted.
func TestForeignOriginOnWebSocket(t *testing.T) {
	from := func(s *site, origin, query string) (int, error) {
		conn, res, err := websocket.DefaultDialer.DialContext(t.Context(), "ws"+strings.TrimPrefix(s.URL, "http")+"/engine.io/?"+query, http.Header{"Origin": {origin}})
		if err == nil {
			_ = conn.Close()
		}
		return res.StatusCode, err
	}
	open, enforced := originSite(t, CORS{}), originSite(t, CORS{EnforceOnWebSocket: true})
	if status, err := from(open, foreigner, fresh); status != 101 {
		t.Errorf("not enforced: %d, %v", status, err)
	}
	if status, err := from(enforced, friend, fresh); status != 101 {
		t.Errorf("a friend: %d, %v", status, err)
	}
	enforced.expectRefusedWebSocket(t, fresh, http.Header{"Origin": {foreigner}}, "Forbidden")
	query := enforced.open(t)
	enforced.expectRefusedWebSocket(t, upgradeQuery(query), http.Header{"Origin": {foreigner}}, "Forbidden")
	if conn := enforced.mustDial(t, fresh); conn == nil { // no browser: no Origin
		t.Error("refused without an origin")
	}
}
